package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// users has the users and their names.
type users struct{ db *commit.DB }

// CreateUser implements store.Users.
func (s *users) CreateUser(ctx context.Context, u store.User) error {
	if err := layout.ValidUser(u); err != nil {
		return err
	}
	encoded := codec.EncodeUser(u, s.db.Format())
	return s.db.Update(ctx, func(t *layout.Tx) error {
		if t.Raw(layout.Users, u.ID[:]) != nil {
			return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
		}
		return layout.PutUser(t, u, encoded)
	})
}

// User implements store.Users.
func (s *users) User(ctx context.Context, id store.UserID) (u store.User, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		u, err = layout.ReadUser(tx, id)
		return err
	})
	return u, err
}

// UserByName implements store.Users.
func (s *users) UserByName(ctx context.Context, username string) (u store.User, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		u, err = layout.UserOfName(tx, username)
		return err
	})
	return u, err
}

// errRaced: the record has changed between reading and writing it.
var errRaced = errors.New("changed meanwhile")

// replace writes a record, where it is still the one that was read before.
func replace(t *layout.Tx, b *layout.Bucket, key, before, after []byte) error {
	switch now := t.Raw(b, key); {
	case now == nil:
		return store.ErrNotFound
	case !bytes.Equal(now, before):
		return errRaced
	}
	return t.Put(b, key, after)
}

// UpdateUser implements store.Users.
func (s *users) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	u, _, err := s.changeUser(ctx, id, change)
	return u, err
}

// changeUser also returns how many sessions the change has ended. The function runs in the caller's goroutine, where it holds
// up no other request. The write then succeeds only where the record is still the one that was read; else it starts again.
func (s *users) changeUser(ctx context.Context, id store.UserID, change func(*store.User) error) (u store.User, ended int, err error) {
	for {
		was, before, err := s.userAndRecord(ctx, id)
		if err != nil {
			return store.User{}, 0, err
		}
		u, endAll, err := store.ChangedUser(was, change, s.db.Format(), s.db.Now())
		if err != nil {
			return store.User{}, 0, err
		}
		c := userChange{before: before, endAll: endAll}
		c.after = codec.EncodeUser(u, s.db.Format())
		if c.user, err = codec.DecodeUser(c.after); err != nil {
			return store.User{}, 0, err
		}
		ended, err := commit.Ask(ctx, s.db, c.apply)
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.User{}, 0, err
		}
		return c.user, ended, nil
	}
}

// userAndRecord returns the record with the bytes that it was read from.
func (s *users) userAndRecord(ctx context.Context, id store.UserID) (u store.User, raw []byte, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		u, err = layout.ReadUser(tx, id)
		raw = bytes.Clone(tx.Raw(layout.Users, id[:]))
		return err
	})
	return u, raw, err
}

// userChange replaces one record of a user with the next.
type userChange struct {
	before, after []byte
	user          store.User // what after holds
	endAll        bool       // the epoch has risen
}

// apply returns how many sessions have ended.
func (c userChange) apply(t *layout.Tx) (ended int, err error) {
	id := c.user.ID
	if err := replace(t, layout.Users, id[:], c.before, c.after); err != nil {
		return 0, fmt.Errorf("user %s: %w", id, err)
	}
	if !c.endAll && c.user.NotBefore.IsZero() {
		return 0, nil
	}
	return layout.DeleteSessions(t, id, func(s store.Session) bool { return c.endAll || s.StartedAt.Before(c.user.NotBefore) })
}

// RenameUser implements store.Users.
func (s *users) RenameUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	for {
		was, before, err := s.userAndRecord(ctx, id)
		if err != nil {
			return store.User{}, err
		}
		u, err := store.RenamedUser(was, change)
		if err == nil {
			err = layout.ValidUser(u)
		}
		if err != nil {
			return store.User{}, err
		}
		after := codec.EncodeUser(u, s.db.Format())
		err = s.db.Update(ctx, func(t *layout.Tx) error {
			if err := layout.CheckNames(t, u); err != nil {
				return err
			}
			if err := replace(t, layout.Users, id[:], before, after); err != nil {
				return fmt.Errorf("user %s: %w", id, err)
			}
			if err := layout.DeleteNames(t, was); err != nil {
				return err
			}
			return layout.PutNames(t, u)
		})
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.User{}, err
		}
		return codec.DecodeUser(after)
	}
}

// DeleteUser implements store.Users.
func (s *users) DeleteUser(ctx context.Context, id store.UserID) error {
	return s.db.Update(ctx, func(t *layout.Tx) error {
		u, err := layout.ReadUser(t, id)
		if err != nil {
			return err
		}
		if _, err := layout.DeleteSessions(t, id, func(store.Session) bool { return true }); err != nil {
			return err
		}
		if err := layout.DeleteNames(t, u); err != nil {
			return err
		}
		return t.Delete(layout.Users, id[:])
	})
}

// ListUsernames implements store.Users.
func (s *users) ListUsernames(ctx context.Context, after string, limit int) (list []string, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		_, err := tx.Span(layout.Usernames, layout.After(after), limit, func(name, _ []byte) error {
			list = append(list, string(name))
			return nil
		})
		return err
	})
	return list, err
}

// ListUsers implements store.Users.
func (s *users) ListUsers(ctx context.Context, after string, limit int) (list []store.User, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		_, err := tx.Span(layout.Usernames, layout.After(after), limit, func(name, raw []byte) error {
			id, err := layout.IDOfName(tx, name, raw)
			if err != nil {
				return err
			}
			u, err := layout.ReadUser(tx, id)
			list = append(list, u)
			return err
		})
		return err
	})
	return list, err
}
