package bolt

import (
	"context"
	"errors"
	"fmt"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// Rotate implements store.Sessions. It reads two records and writes one; what to do is decided by
// store.Decide.
func (s *sessions) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	key := layout.SessionKey(r.UserID, r.SessionID)
	now, err := commit.Ask(ctx, s.db, func(t *layout.Tx) (rotated, error) { return s.rotate(t, key, r) })
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, fmt.Errorf("rotating a session: %w", err)
	}
	switch {
	case now.outcome.GoesOn():
		return now.session, now.user, now.outcome, nil
	case now.outcome == store.Reused:
		return now.was, store.User{}, now.outcome, nil
	default:
		return store.Session{}, store.User{}, now.outcome, nil
	}
}

// rotated is what Rotate has found and done.
type rotated struct {
	was     store.Session // the record before
	session store.Session // and after
	user    store.User
	outcome store.Outcome
}

func (s *sessions) rotate(t *layout.Tx, key []byte, r store.Rotation) (now rotated, err error) {
	raw := t.Raw(layout.Sessions, key)
	if raw == nil {
		return now, nil
	}
	if now.was, err = layout.ReadSession(t, key, raw, r.ClientID); err != nil {
		return now, fmt.Errorf("%w: reading session %s: %w", store.ErrUnavailable, r.SessionID, err)
	}
	now.user, err = layout.ReadUser(t, r.UserID)
	status := now.user.Status()
	if status.Missing = errors.Is(err, store.ErrNotFound); err != nil && !status.Missing {
		return now, err
	}
	if s.db.Format() < store.Format2 {
		r.Late, r.ClientEpoch = 0, 0
	}
	now.session, now.outcome = store.Decide(now.was, status, r)
	switch {
	case now.session == now.was:
		return now, nil
	case now.session.ID.IsZero() && now.outcome == store.Gone: // its lifetime is over: what began from it has its own
		err = t.Delete(layout.Sessions, key)
	case now.session.ID.IsZero():
		_, err = layout.EndSession(t, r.UserID, r.SessionID)
	default:
		err = t.Put(layout.Sessions, key, codec.EncodeSession(now.session, s.db.Format()))
	}
	if err != nil {
		return now, err
	}
	return now, s.keepRotation(t, r, now.outcome)
}

// keepRotation keeps the event of a rotation, where its outcome has one.
func (s *sessions) keepRotation(t *layout.Tx, r store.Rotation, o store.Outcome) error {
	name := r.Outbox()
	if _, _, has := o.Event(); !has || name == "" {
		return nil
	}
	entry, err := layout.NewEntry(store.RotationEvent(r, o), s.db.Now())
	if err != nil {
		return err
	}
	return t.Put(layout.Outbox, []byte(name), entry)
}
