package bolt

import (
	"context"
	"fmt"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// RedeemCode implements store.Sessions.
func (s *sessions) RedeemCode(ctx context.Context, in store.Session, b store.SessionLimits, until time.Time) (store.Session, store.User, error) {
	if err := layout.ValidSession(in); err != nil {
		return store.Session{}, store.User{}, fmt.Errorf("redeeming a code: %w", err)
	}
	now, err := commit.AskKeeping(ctx, s.db, func(t *layout.Tx) (redeemed, error) { return s.redeem(t, in, b.PerUser, until) },
		func(r redeemed, e *store.Event) bool { return r.again == (e.Type == store.EventCodeReuse) })
	switch {
	case err != nil:
		return store.Session{}, store.User{}, fmt.Errorf("redeeming a code: %w", err)
	case now.again:
		return now.session, store.User{}, fmt.Errorf("redeeming the code of session %s: %w", in.ID, store.ErrExists)
	}
	return now.session, now.user, nil
}

// redeemed is what RedeemCode has found and done.
type redeemed struct {
	again   bool          // the code was redeemed before
	session store.Session // that has begun, or as it was before it ended
	user    store.User
}

func (s *sessions) redeem(t *layout.Tx, in store.Session, limit int, until time.Time) (r redeemed, err error) {
	if r.user, err = layout.ReadUser(t, in.UserID); err != nil {
		return r, err
	}
	key := layout.SessionKey(in.UserID, in.ID)
	if raw := t.Raw(layout.Sessions, key); raw != nil || t.Raw(layout.Codes, key) != nil {
		return endRedeemed(t, in, key, raw)
	}
	in.StartedAt, in.RotatedAt = store.Millis(in.StartedAt), store.Millis(in.RotatedAt)
	in.RotatedAt = store.Later(in.RotatedAt, in.StartedAt)
	if err := mayRedeem(t, in, r.user, until); err != nil {
		return r, err
	}
	if err := s.touchParent(t, in); err != nil {
		return r, err
	}
	if err := makeRoom(t, in.UserID, limit, in.Parent); err != nil {
		return r, err
	}
	raw := codec.EncodeSession(in, s.db.Format())
	if r.session, err = layout.DecodeSession(key, raw, in.ClientID); err != nil {
		return r, err
	}
	if err := t.Put(layout.Sessions, key, raw); err != nil {
		return r, err
	}
	return r, layout.PutMark(t, layout.Codes, key, until)
}

// endRedeemed ends the session of a code that is redeemed again, where it is still there.
func endRedeemed(t *layout.Tx, in store.Session, key, raw []byte) (r redeemed, err error) {
	r.again = true
	if raw == nil {
		return r, nil
	}
	if r.session, err = layout.ReadSession(t, key, raw, in.ClientID); err != nil {
		return r, fmt.Errorf("%w: reading session %s: %w", store.ErrUnavailable, in.ID, err)
	}
	_, err = layout.EndSession(t, in.UserID, in.ID)
	return r, err
}

// mayRedeem refuses a code that was ended since it was made, or that may have been redeemed in a write that was lost.
func mayRedeem(t *layout.Tx, in store.Session, u store.User, until time.Time) error {
	loss, err := layout.ReadLoss(t)
	switch {
	case err != nil:
		return err
	case u.Disabled:
		return fmt.Errorf("user %s: %w", u.ID, store.ErrDisabled)
	case u.Epoch != in.UserEpoch, in.StartedAt.Before(u.NotBefore):
		return fmt.Errorf("the code of session %s was ended: %w", in.ID, store.ErrNotFound)
	case loss.MayHaveUsed(until):
		return fmt.Errorf("the code of session %s is from before the store lost writes: %w", in.ID, store.ErrNotFound)
	}
	return nil
}

// touchParent notes that the session was used from which another begins.
func (s *sessions) touchParent(t *layout.Tx, in store.Session) error {
	if in.Parent.IsZero() {
		return nil
	}
	key := layout.SessionKey(in.UserID, in.Parent)
	raw := t.Raw(layout.Sessions, key)
	if raw == nil {
		return fmt.Errorf("session %s, from which session %s was to begin: %w", in.Parent, in.ID, store.ErrNotFound)
	}
	parent, err := layout.ReadSession(t, key, raw, "")
	if err != nil {
		return fmt.Errorf("%w: reading session %s: %w", store.ErrUnavailable, in.Parent, err)
	}
	parent.RotatedAt = store.Later(parent.RotatedAt, in.RotatedAt)
	return t.Put(layout.Sessions, key, codec.EncodeSession(parent, s.db.Format()))
}
