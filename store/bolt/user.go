package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// CreateUser implements store.Users.
func (s *Store) CreateUser(ctx context.Context, u store.User) error {
	if err := validUser(u); err != nil {
		return err
	}
	raw, name, id := codec.EncodeUser(u, s.Format()), []byte(u.Username), u.ID
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
	err = s.viewContext(ctx, func(tx snapshot) error {
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
	u, err := decodeUser(tx, id[:], raw)
	if err != nil {
		return store.User{}, fmt.Errorf("%w: reading user %s: %w", store.ErrUnavailable, id, err)
	}
	return u, nil
}

// decodeUser reads what lies under the id.
func decodeUser(tx reader, id, raw []byte) (store.User, error) {
	raw, err := tx.opened(bucketUsers, id, raw)
	if err != nil {
		return store.User{}, err
	}
	u, err := codec.DecodeUser(raw)
	if err == nil && !bytes.Equal(u.ID[:], id) {
		err = codec.ErrMalformed
	}
	return u, err
}

// idOfName returns the id that a name leads to, or ErrNotFound. sealed is what lies under the name.
func idOfName(tx reader, username, sealed []byte) (store.UserID, error) {
	if sealed == nil {
		return store.UserID{}, fmt.Errorf("user by name: %w", store.ErrNotFound)
	}
	raw, err := tx.opened(bucketUsernames, username, sealed)
	if err == nil && len(raw) != idSize {
		err = codec.ErrMalformed
	}
	if err != nil {
		return store.UserID{}, fmt.Errorf("%w: reading username %q: %w", store.ErrUnavailable, username, err)
	}
	return store.UserID(raw), nil
}

// UserByName implements store.Users.
func (s *Store) UserByName(ctx context.Context, username string) (u store.User, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		id, err := idOfName(tx, []byte(username), tx.Bucket(bucketUsernames).Get([]byte(username)))
		if err != nil {
			return err
		}
		u, err = readUser(tx, id)
		if err == nil && u.Username != username {
			err = fmt.Errorf("%w: username %q leads to another user: %w", store.ErrUnavailable, username, codec.ErrMalformed)
		}
		return err
	})
	return u, err
}

// errRaced: the record was changed by somebody else between reading and writing it.
var errRaced = errors.New("changed meanwhile")

// UpdateUser implements store.Users.
func (s *Store) UpdateUser(ctx context.Context, id store.UserID, change func(*store.User) error) (store.User, error) {
	u, _, err := s.changeUser(ctx, id, change)
	return u, err
}

// changeUser also returns how many sessions the change has ended. The function runs in the caller's
// goroutine, so that it can hold up nobody else; the write then goes through only if the record is
// still the one it saw.
func (s *Store) changeUser(ctx context.Context, id store.UserID, change func(*store.User) error) (u store.User, ended int, err error) {
	for {
		was, before, err := s.userAndRecord(ctx, id)
		if err != nil {
			return store.User{}, 0, err
		}
		u := was
		u.Claims = maps.Clone(was.Claims)
		if err := change(&u); err != nil {
			return store.User{}, 0, err
		}
		u.ID, u.Username, u.Revision = id, was.Username, was.Revision+1
		c := userChange{before: before, endAll: u.Epoch != was.Epoch}
		if c.endAll && s.Format() < store.Format2 {
			u.NotBefore = later(store.Millis(s.now()).Add(time.Millisecond), u.NotBefore)
		}
		c.after = codec.EncodeUser(u, s.Format())
		if c.user, err = codec.DecodeUser(c.after); err != nil {
			return store.User{}, 0, err
		}
		ended, err := ask(ctx, s, c.apply)
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
func (s *Store) userAndRecord(ctx context.Context, id store.UserID) (u store.User, raw []byte, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		u, err = readUser(tx, id)
		raw = bytes.Clone(tx.Bucket(bucketUsers).Get(id[:]))
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
func (c userChange) apply(t *txn) (ended int, err error) {
	id := c.user.ID
	now := t.get(bucketUsers, id[:])
	if now == nil {
		return 0, fmt.Errorf("user %s: %w", id, store.ErrNotFound)
	}
	if !bytes.Equal(now, c.before) {
		return 0, errRaced
	}
	if err := t.put(bucketUsers, id[:], c.after); err != nil {
		return 0, err
	}
	if !c.endAll && c.user.NotBefore.IsZero() {
		return 0, nil
	}
	return deleteSessions(t, id, func(s store.Session) bool { return c.endAll || s.StartedAt.Before(c.user.NotBefore) })
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
	err = s.viewContext(ctx, func(tx snapshot) error {
		return walkAfter(tx.Bucket(bucketUsernames), after, limit, func(name, raw []byte) error {
			id, err := idOfName(tx, name, raw)
			if err != nil {
				return err
			}
			u, err := readUser(tx, id)
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
