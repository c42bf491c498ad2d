package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/store"
	"signet/store/codec"
)

const idSize = 16

// sessionKey puts all sessions of a user next to each other.
func sessionKey(user store.UserID, id store.SessionID) []byte {
	key := make([]byte, 0, 2*idSize)
	key = append(key, user[:]...)
	return append(key, id[:]...)
}

// readSession reads what lies under the key.
func readSession(tx reader, key, value []byte, clientID string) (store.Session, error) {
	value, err := tx.opened(bucketSessions, key, value)
	if err != nil {
		return store.Session{}, err
	}
	return decodeSession(key, value, clientID)
}

func decodeSession(key, value []byte, clientID string) (store.Session, error) {
	if len(key) != 2*idSize {
		return store.Session{}, codec.ErrMalformed
	}
	return codec.DecodeSession(store.UserID(key[:idSize]), store.SessionID(key[idSize:]), value, clientID)
}

// StartSession implements store.Sessions.
func (s *Store) StartSession(ctx context.Context, in store.Session, b store.SessionLimits) (store.Session, store.User, error) {
	return s.startSession(ctx, in, b, func(*txn) error { return nil })
}

// startSession also does what belongs in the same transaction.
func (s *Store) startSession(ctx context.Context, in store.Session, b store.SessionLimits, also func(*txn) error) (store.Session, store.User, error) {
	if err := validSession(in); err != nil {
		return store.Session{}, store.User{}, fmt.Errorf("starting a session: %w", err)
	}
	now, err := ask(ctx, s, func(t *txn) (now started, err error) {
		if now.session, now.user, err = s.start(t, in, b.PerUser); err != nil {
			return now, err
		}
		return now, also(t)
	})
	if err != nil {
		return store.Session{}, store.User{}, fmt.Errorf("starting a session: %w", err)
	}
	return now.session, now.user, nil
}

type started struct {
	session store.Session
	user    store.User
}

func validSession(s store.Session) error {
	if s.ID.IsZero() || s.UserID.IsZero() || s.ClientID == "" {
		return errors.New("its id, user or client is missing")
	}
	return nil
}

func (s *Store) start(t *txn, in store.Session, limit int) (store.Session, store.User, error) {
	u, err := readUser(t, in.UserID)
	if err != nil {
		return in, u, err
	}
	if u.Disabled {
		return in, u, fmt.Errorf("user %s: %w", u.ID, store.ErrDisabled)
	}
	key := sessionKey(in.UserID, in.ID)
	if t.get(bucketSessions, key) != nil {
		return in, u, fmt.Errorf("session %s: %w", in.ID, store.ErrExists)
	}
	in.StartedAt = later(store.Millis(in.StartedAt), u.NotBefore)
	in.RotatedAt = later(store.Millis(in.RotatedAt), in.StartedAt)
	in.UserEpoch = u.Epoch
	if err := makeRoom(t, in.UserID, limit); err != nil {
		return in, u, err
	}
	raw := codec.EncodeSession(in, s.Format())
	if in, err = decodeSession(key, raw, in.ClientID); err != nil {
		return in, u, err
	}
	return in, u, t.put(bucketSessions, key, raw)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// makeRoom ends the user's oldest sessions until there is room for one more under limit; a limit
// that is not positive is none.
func makeRoom(t *txn, user store.UserID, limit int) error {
	if limit <= 0 {
		return nil
	}
	all, err := readSessions(t, user)
	if err != nil || len(all) < limit {
		return err
	}
	slices.SortFunc(all, byAge)
	for _, old := range all[:len(all)-limit+1] {
		if err := t.del(bucketSessions, sessionKey(user, old.ID)); err != nil {
			return err
		}
	}
	return nil
}

func byAge(a, b store.Session) int {
	return cmp.Or(a.StartedAt.Compare(b.StartedAt), bytes.Compare(a.ID[:], b.ID[:]))
}

// RevokeSession implements store.Sessions.
func (s *Store) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (existed bool, err error) {
	key := sessionKey(user, id)
	existed, err = ask(ctx, s, func(t *txn) (bool, error) {
		if t.get(bucketSessions, key) == nil {
			return false, nil
		}
		return true, t.del(bucketSessions, key)
	})
	if err != nil {
		return false, fmt.Errorf("revoking a session: %w", err)
	}
	return existed, nil
}

// RevokeSessions implements store.Sessions.
func (s *Store) RevokeSessions(ctx context.Context, user store.UserID) (ended int, err error) {
	_, ended, err = s.changeUser(ctx, user, func(u *store.User) error {
		u.EndSessions()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking all sessions: %w", err)
	}
	return ended, nil
}

// ListSessions implements store.Sessions.
func (s *Store) ListSessions(ctx context.Context, user store.UserID, now time.Time, l store.Lifetimes) (list []store.Session, err error) {
	now = store.Millis(now)
	err = s.viewContext(ctx, func(tx snapshot) error {
		list, err = readSessions(tx, user)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	list = slices.DeleteFunc(list, func(s store.Session) bool { return l.Ended(s, now) })
	slices.SortFunc(list, byAge)
	return list, nil
}

// readSessions returns the sessions of one user in the order of their ids.
func readSessions(tx reader, user store.UserID) (list []store.Session, err error) {
	c := tx.Bucket(bucketSessions).Cursor()
	clientID := ""
	for key, value := c.Seek(user[:]); bytes.HasPrefix(key, user[:]); key, value = c.Next() {
		s, err := readSession(tx, key, value, clientID)
		if err != nil {
			return nil, fmt.Errorf("%w: reading the sessions of %s: %w", store.ErrUnavailable, user, err)
		}
		clientID = s.ClientID
		list = append(list, s)
	}
	return list, nil
}

// deleteSessions deletes those sessions of one user that end says and returns how many there were.
func deleteSessions(t *txn, user store.UserID, end func(store.Session) bool) (int, error) {
	all, err := readSessions(t, user)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range all {
		if !end(s) {
			continue
		}
		if err := t.del(bucketSessions, sessionKey(user, s.ID)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
