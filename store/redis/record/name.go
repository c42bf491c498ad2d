package record

import (
	"context"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// names has the usernames.
type names struct {
	*Deps
}

// readName answers ErrNotFound where the name leads nowhere.
func (s *names) readName(ctx context.Context, username string) (layout.Name, error) {
	key := s.Key.Username(username)
	get := conn.Command(key, "get", key)
	if err := s.Conn.Do(ctx, "looking up a username", get); err != nil {
		return layout.Name{}, err
	}
	raw, found := get.Text()
	if !found {
		return layout.Name{}, fmt.Errorf("user by name: %w", store.ErrNotFound)
	}
	n, err := s.Codec.DecodeName(username, raw)
	if err != nil {
		return n, conn.Malformed("a username", err)
	}
	return n, nil
}

// takeName makes the username lead to u, or answers ErrExists.
func (s *names) takeName(ctx context.Context, u store.User) error {
	return s.take(ctx, u, u.Username, layout.NameOf(u), true)
}

// takeAlias makes an alias lead to u, or a name that will be the username, which is listed already. It answers ErrExists.
func (s *names) takeAlias(ctx context.Context, u store.User, name string, listed bool) error {
	return s.take(ctx, u, name, layout.AliasOf(u), listed)
}

// confirmAlias makes an alias of a user whose creation is complete safe from others. It answers ErrExists where it leads to
// another user by now.
func (s *names) confirmAlias(ctx context.Context, u store.User, name string) error {
	record := s.Codec.EncodeName(name, layout.ConfirmedAliasOf(u))
	taken := s.Codec.EncodeName(name, layout.AliasOf(u))
	confirm := s.Trail.Call(ctx, script.TakeName, s.Key.NameAndNames(name), record, name, taken, script.OneIf(false))
	if err := s.Conn.DoDurably(ctx, "confirming an alias", confirm.Call); err != nil {
		return err
	}
	now, found := confirm.Text()
	if !found || now == record {
		return nil
	}
	holder, err := s.Codec.DecodeName(name, now)
	switch {
	case err != nil:
		return conn.Malformed("a username", err)
	case holder.UserID == u.ID: // a later change has taken it
		return nil
	}
	return fmt.Errorf("user %s: the name %q: %w", u.ID, name, store.ErrExists)
}

// take makes a name that the record of u has lead to u. What it leads to at present may have been left behind by a
// deletion or a change of names that broke off; see holds.
func (s *names) take(ctx context.Context, u store.User, name string, record layout.Name, listed bool) error {
	gone := ""
	for {
		take := s.Trail.Call(ctx, script.TakeName, s.Key.NameAndNames(name), s.Codec.EncodeName(name, record), name, gone, script.OneIf(listed))
		if err := s.Conn.DoDurably(ctx, "taking a username", take.Call); err != nil {
			return err
		}
		taken, found := take.Text()
		if !found {
			take.Kept(true)
			return nil
		}
		holder, err := s.Codec.DecodeName(name, taken)
		if err != nil {
			return conn.Malformed("a username", err)
		}
		if holder.UserID != u.ID {
			held, err := s.holds(ctx, holder.UserID, name)
			if err != nil {
				return err
			}
			if held || taken == gone {
				return fmt.Errorf("user %s: the name %q: %w", u.ID, name, store.ErrExists)
			}
		} else if holder.Revision > record.Revision {
			return nil // a later change has taken it
		}
		gone = taken
	}
}

// holds reports whether a user has the name that leads to them. User ids are never used again, so a user who is not there will
// not come back. One whom the username does not lead to was not made completely.
func (s *names) holds(ctx context.Context, id store.UserID, name string) (bool, error) {
	get := conn.Command(s.Key.User(id), "get", s.Key.User(id))
	if err := s.Conn.Do(ctx, "looking for the user of a username", get); err != nil {
		return false, err
	}
	raw, found := get.Text()
	if !found {
		return false, nil
	}
	u, err := s.Codec.DecodeUser(id, raw)
	if err != nil {
		return false, conn.Malformed("user "+id.String(), err)
	}
	if !u.HasName(name) || u.Username == name {
		return u.Username == name, nil
	}
	n, err := s.readName(ctx, u.Username)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return n.UserID == id, err
}

// freeNames frees names that u does not have any more since the revision of its record; 0: since u is not there any more.
func (s *names) freeNames(ctx context.Context, u store.User, revision uint32, freed []string) error {
	for _, name := range freed {
		args := []any{u.ID[:], name}
		if revision > 0 {
			args = append(args, revision)
		}
		if err := s.Conn.DoDurably(ctx, "freeing a username", script.FreeName.Call(s.Key.NameAndNames(name), args...)); err != nil {
			return err
		}
	}
	return nil
}

// restoreNames makes names that lead nowhere lead to u, whose record has them. One that is another user's stays it.
func (s *names) restoreNames(ctx context.Context, u store.User) error {
	for _, name := range u.Names() {
		n, err := s.readName(ctx, name)
		if err == nil && n.UserID == u.ID {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if name == u.Username {
			err = s.takeName(ctx, u)
		} else {
			err = s.takeAlias(ctx, u, name, false)
		}
		if err != nil && !errors.Is(err, store.ErrExists) {
			return err
		}
	}
	return nil
}

func (s *names) announceCredential(ctx context.Context, u store.User) error {
	keys := []string{s.Key.Username(u.Username)}
	return s.Conn.DoDurably(ctx, "announcing a credential", script.AnnounceCredential.Call(keys, u.ID[:], u.Revision))
}

func (s *names) copyCredential(ctx context.Context, u store.User) error {
	keys := []string{s.Key.Username(u.Username)}
	return s.Conn.DoDurably(ctx, "copying a credential", script.CopyCredential.Call(keys, s.Codec.EncodeName(u.Username, layout.NameOf(u))))
}
