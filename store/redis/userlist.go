package redis

import (
	"context"
	"slices"
	"strings"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// ListUsers implements store.Users. The names lie in parts, each in order; the first of all parts
// together are merged.
func (s *users) ListUsers(ctx context.Context, after string, limit int) ([]store.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	names, err := s.firstNames(ctx, after, limit)
	if err != nil {
		return nil, err
	}
	var list []store.User
	for batch := range slices.Chunk(names, 500) {
		users, err := s.usersByName(ctx, batch)
		if err != nil {
			return nil, err
		}
		list = append(list, users...)
	}
	return list, nil
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
		if err := s.conn.Do(ctx, "listing usernames", calls...); err != nil {
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
	key := s.key.Names(part)
	return conn.Command(key, "zrangebylex", key, from, "+", "limit", 0, limit)
}

// usersByName reads the users that the names lead to. One that is being created or deleted at this
// moment may be left out.
func (s *users) usersByName(ctx context.Context, names []string) ([]store.User, error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = s.key.Username(name)
	}
	var ids []store.UserID
	err := s.conn.EachString(ctx, "looking up usernames", keys, func(i int, raw string) error {
		n, err := s.records.DecodeName(names[i], raw)
		if err != nil {
			return conn.Malformed("a username", err)
		}
		ids = append(ids, n.UserID)
		return nil
	})
	if err != nil {
		return nil, err
	}
	keys = make([]string, len(ids))
	for i, id := range ids {
		keys[i] = s.key.User(id)
	}
	users := make([]store.User, 0, len(ids))
	err = s.conn.EachString(ctx, "reading users", keys, func(i int, raw string) error {
		u, err := s.records.DecodeUser(ids[i], raw)
		if err != nil {
			return conn.Malformed("user "+ids[i].String(), err)
		}
		users = append(users, u)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(users, func(a, b store.User) int { return strings.Compare(a.Username, b.Username) })
	return users, nil
}
