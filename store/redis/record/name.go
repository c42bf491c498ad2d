package record

import (
	"context"
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

// takeName makes the name lead to u, or answers ErrExists. A name may have been left behind by a
// deletion that broke off; user ids are never used again, so a user who is not there will not come back.
func (s *names) takeName(ctx context.Context, u store.User) error {
	gone := ""
	for {
		keys := s.Key.NameAndNames(u.Username)
		take := s.Trail.Call(ctx, script.TakeName, keys, s.Codec.EncodeName(u.Username, layout.NameOf(u)), u.Username, gone)
		if err := s.Conn.DoDurably(ctx, "taking a username", take.Call); err != nil {
			return err
		}
		taken, found := take.Text()
		if !found {
			take.Kept(true)
			return nil
		}
		holder, err := s.Codec.DecodeName(u.Username, taken)
		if err != nil {
			return conn.Malformed("a username", err)
		}
		key := s.Key.User(holder.UserID)
		exists := conn.Command(key, "exists", key)
		if err := s.Conn.Do(ctx, "looking for the user of a username", exists); err != nil {
			return err
		}
		if exists.Number() == 1 || taken == gone {
			return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
		}
		gone = taken
	}
}

func (s *names) freeName(ctx context.Context, u store.User) error {
	return s.Conn.DoDurably(ctx, "freeing a username", script.FreeName.Call(s.Key.NameAndNames(u.Username), u.ID[:], u.Username))
}

func (s *names) announceCredential(ctx context.Context, u store.User) error {
	keys := []string{s.Key.Username(u.Username)}
	return s.Conn.DoDurably(ctx, "announcing a credential", script.AnnounceCredential.Call(keys, u.ID[:], u.Revision))
}

func (s *names) copyCredential(ctx context.Context, u store.User) error {
	keys := []string{s.Key.Username(u.Username)}
	return s.Conn.DoDurably(ctx, "copying a credential", script.CopyCredential.Call(keys, s.Codec.EncodeName(u.Username, layout.NameOf(u))))
}
