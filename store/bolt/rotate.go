package bolt

import (
	"context"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/packed"
)

// Rotate implements store.Sessions. It reads two records and writes one; what to do is decided by
// store.Decide.
func (s *Store) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	key := sessionKey(r.UserID, r.SessionID)
	now, err := ask(ctx, s, func(t *txn) (now rotated, err error) {
		now.session, now.user, now.outcome, err = s.rotate(t, key, r)
		return now, err
	})
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, fmt.Errorf("rotating a session: %w", err)
	}
	switch now.outcome {
	case store.Rotated, store.Replayed, store.Healed:
		return now.session, now.user, now.outcome, nil
	default:
		return store.Session{}, store.User{}, now.outcome, nil
	}
}

type rotated struct {
	session store.Session
	user    store.User
	outcome store.Outcome
}

func (s *Store) rotate(t *txn, key []byte, r store.Rotation) (next store.Session, u store.User, o store.Outcome, err error) {
	raw := t.get(bucketSessions, key)
	if raw == nil {
		return next, u, store.Gone, nil
	}
	was, err := readSession(t, key, raw, r.ClientID)
	if err != nil {
		return next, u, o, fmt.Errorf("%w: reading session %s: %w", store.ErrUnavailable, r.SessionID, err)
	}
	u, err = readUser(t, r.UserID)
	standing := u.Standing()
	if standing.Missing = errors.Is(err, store.ErrNotFound); err != nil && !standing.Missing {
		return next, u, o, err
	}
	next, o = store.Decide(was, standing, r)
	switch {
	case next == was:
		return next, u, o, nil
	case next.ID.IsZero():
		return next, u, o, t.del(bucketSessions, key)
	default:
		return next, u, o, t.put(bucketSessions, key, packed.EncodeSession(next, s.Format()))
	}
}
