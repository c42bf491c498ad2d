package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/packed"
)

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	if err := validUser(u); err != nil {
		return err
	}
	raw, name, id := packed.EncodeUser(u), []byte(u.Username), u.ID
	return s.update(ctx, func(t *txn) error {
		if t.get(bucketUsers, id[:]) != nil || t.get(bucketUsernames, name) != nil {
			return fmt.Errorf("user %s: %w", id, store.ErrExists)
		}
		if err := t.put(bucketUsernames, name, id[:]); err != nil {
			return err
		}
		return t.put(bucketUsers, id[:], raw)
	})
}

func validUser(u store.User) error {
	switch {
	case u.ID.IsZero():
		return errors.New("the user has no id")
	case u.Username == "" || len(u.Username) > bbolt.MaxKeySize:
		return fmt.Errorf("user %s: the username has %d bytes", u.ID, len(u.Username))
	}
	return nil
}

// User implements store.Users.
func (s *Store) User(ctx context.Context, id store.UserID) (u store.User, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		u, err = readUser(tx, id)
		return err
	})
	return u, err
}

// readUser answers ErrNotFound where there is none.
func readUser(tx reader, id store.UserID) (store.User, error) {
	raw := tx.Bucket(bucketUsers).Get(id[:])
	if raw == nil {
		return store.User{}, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	u, err := packed.DecodeUser(raw)
	if err != nil {
		return store.User{}, fmt.Errorf("%w: reading user %s: %w", store.ErrUnavailable, id, err)
	}
	return u, nil
}

// UserByName implements store.Users.
func (s *Store) UserByName(ctx context.Context, username string) (u store.User, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		raw := tx.Bucket(bucketUsernames).Get([]byte(username))
		if len(raw) != idSize {
			return fmt.Errorf("user by name: %w", store.ErrNotFound)
		}
		u, err = readUser(tx, store.UserID(raw))
		return err
	})
	return u, err
}

// errRaced: the record was changed by somebody else between reading and writing it.
var errRaced = errors.New("changed meanwhile")

// UpdateUser implements store.Users. The function runs in the caller's goroutine, so that it can
// hold up nobody else; the write then goes through only if the record is still the one it saw.
func (s *Store) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	for {
		u, err := s.User(ctx, id)
		if err != nil {
			return store.User{}, err
		}
		before, username := packed.EncodeUser(u), u.Username
		if err := change(&u); err != nil {
			return store.User{}, err
		}
		u.ID, u.Username = id, username
		after := packed.EncodeUser(u)
		err = s.update(ctx, func(t *txn) error { return replaceUser(t, u, before, after) })
		if errors.Is(err, errRaced) {
			continue
		}
		if err != nil {
			return store.User{}, err
		}
		return packed.DecodeUser(after)
	}
}

func replaceUser(t *txn, u store.User, before, after []byte) error {
	now := t.get(bucketUsers, u.ID[:])
	if now == nil {
		return fmt.Errorf("user %s: %w", u.ID, store.ErrNotFound)
	}
	if !bytes.Equal(now, before) {
		return errRaced
	}
	if err := t.put(bucketUsers, u.ID[:], after); err != nil {
		return err
	}
	return endBefore(t, u)
}

// endBefore deletes the sessions that the user's NotBefore ends.
func endBefore(t *txn, u store.User) error {
	if u.NotBefore.IsZero() {
		return nil
	}
	_, err := deleteSessions(t, u.ID, func(s store.Session) bool {
		return s.StartedAt.Before(store.Millis(u.NotBefore))
	})
	return err
}

// DeleteUser implements store.Users.
func (s *Store) DeleteUser(ctx context.Context, id store.UserID) error {
	return s.update(ctx, func(t *txn) error {
		u, err := readUser(t, id)
		if err != nil {
			return err
		}
		if _, err := deleteSessions(t, id, func(store.Session) bool { return true }); err != nil {
			return err
		}
		if err := t.del(bucketUsernames, []byte(u.Username)); err != nil {
			return err
		}
		return t.del(bucketUsers, id[:])
	})
}

// ListUsers implements store.Users.
func (s *Store) ListUsers(ctx context.Context, after string, limit int) (list []store.User, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		return walkAfter(tx.Bucket(bucketUsernames), after, limit, func(_, id []byte) error {
			u, err := readUser(tx, store.UserID(id))
			list = append(list, u)
			return err
		})
	})
	return list, err
}

// walkAfter visits up to limit keys that sort after the given one, in order.
func walkAfter(b *bbolt.Bucket, after string, limit int, visit func(key, value []byte) error) error {
	c := b.Cursor()
	key, value := c.Seek([]byte(after))
	if key != nil && string(key) == after {
		key, value = c.Next()
	}
	for ; key != nil && limit > 0; limit-- {
		if err := visit(key, value); err != nil {
			return err
		}
		key, value = c.Next()
	}
	return nil
}
