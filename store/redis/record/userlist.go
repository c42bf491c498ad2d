package record

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// ListUsers implements store.Users. The names are in parts, each in order; the first of all parts
// together are merged.
func (s *Users) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	var list []store.User
	for len(list) < limit {
		wanted := limit - len(list)
		names, err := s.firstNames(ctx, after, wanted)
		if err != nil {
			return nil, err
		}
		for batch := range slices.Chunk(names, conn.Page) {
			users, err := s.UsersByName(ctx, batch)
			if err != nil {
				return nil, err
			}
			list = append(list, users...)
		}
		if len(names) < wanted {
			break
		}
		after = names[len(names)-1] // some may lead to no user
	}
	return list, nil
}

// ListUsernames implements store.Users.
func (s *Users) ListUsernames(ctx context.Context, after string, limit int) ([]string, error) {
	if limit <= 0 {
		return nil, nil
	}
	return s.firstNames(ctx, after, limit)
}

// firstNames returns the first names after the given one. A part is asked for a few more than its
// share; one that gave all it was asked for may hide names below the last of them, so those beyond
// the lowest such last are not yet in order and are asked for again.
func (s *names) firstNames(ctx context.Context, after string, limit int) (names []string, err error) {
	share := limit/layout.NameParts*2 + 8
	for len(names) < limit {
		calls := make([]*conn.Call, layout.NameParts)
		for part := range calls {
			calls[part] = s.namesAfter(part, after, share)
		}
		if err := s.Conn.Do(ctx, "listing usernames", calls...); err != nil {
			return nil, err
		}
		var found []string
		sure := "" // the lowest last name of a part that may have more; "": none has
		for _, c := range calls {
			some := c.List()
			found = append(found, some...)
			if len(some) == share && (sure == "" || some[share-1] < sure) {
				sure = some[share-1]
			}
		}
		slices.Sort(found)
		for _, name := range found {
			if sure == "" || name <= sure {
				names = append(names, name)
			}
		}
		if sure == "" {
			break
		}
		after = sure
	}
	return names[:min(len(names), limit)], nil
}

// namesAfter asks one part for its next names.
func (s *names) namesAfter(part int, after string, limit int) *conn.Call {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	key := s.Key.Names(part)
	return conn.Command(key, "zrangebylex", key, from, "+", "limit", 0, limit)
}

// EachPage visits all usernames, a page at a time.
func (s *names) EachPage(ctx context.Context, visit func(names []string) error) error {
	for part := range layout.NameParts {
		for after, more := "", true; more; {
			names := s.namesAfter(part, after, conn.Page)
			if err := s.Conn.Do(ctx, "listing usernames", names); err != nil {
				return err
			}
			page := names.List()
			if err := visit(page); err != nil {
				return err
			}
			if more = len(page) == conn.Page; more {
				after = page[len(page)-1]
			}
		}
	}
	return nil
}

// UsersByName reads the users that the names lead to, in order. One that is being created or deleted at this
// moment may be left out.
func (s *Users) UsersByName(ctx context.Context, names []string) ([]store.User, error) {
	users := make([]store.User, 0, len(names))
	err := s.EachNamed(ctx, names, func(string, string, string, layout.Name) {}, func(_, _ string, u store.User) { users = append(users, u) })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(users, func(a, b store.User) int { return strings.Compare(a.Username, b.Username) })
	return users, nil
}

// EachNamed visits the records of the names, and then those of the users whose usernames they are, with their keys and bytes.
func (s *Users) EachNamed(ctx context.Context, names []string,
	onName func(key, raw, username string, n layout.Name), onUser func(key, raw string, u store.User)) error {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.Key.Username(name)
	}
	ids, users, usernames := make([]store.UserID, 0, len(names)), make([]string, 0, len(names)), make([]string, 0, len(names))
	err := s.Conn.EachString(ctx, "looking up usernames", keys, func(i int, raw string) error {
		n, err := s.Codec.DecodeName(names[i], raw)
		if err != nil {
			return conn.Malformed(fmt.Sprintf("username %q", names[i]), err)
		}
		ids, users, usernames = append(ids, n.UserID), append(users, s.Key.User(n.UserID)), append(usernames, names[i])
		onName(keys[i], raw, names[i], n)
		return nil
	})
	if err != nil {
		return err
	}
	return s.Conn.EachString(ctx, "reading users", users, func(i int, raw string) error {
		u, err := s.Codec.DecodeUser(ids[i], raw)
		if err != nil {
			return conn.Malformed("user "+ids[i].String(), err)
		}
		if u.Username == usernames[i] { // else a change of names is under way, or broke off: the other name is listed as well
			onUser(users[i], raw, u)
		}
		return nil
	})
}
