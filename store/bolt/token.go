package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// tokens has the access tokens that were revoked and the client assertions that were used.
type tokens struct{ db *commit.DB }

// RevokeToken implements store.Revocations.
func (s *tokens) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if err := layout.ValidJTI(jti); err != nil {
		return fmt.Errorf("revoking a token: %w", err)
	}
	return s.db.Update(ctx, func(t *layout.Tx) error { return layout.PutMark(t, layout.Revoked, []byte(jti), until) })
}

// TokenState implements store.Revocations.
func (s *tokens) TokenState(ctx context.Context, ref store.TokenRef) (state store.TokenState, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		state, err = tokenState(tx, ref)
		return err
	})
	if err != nil {
		return store.TokenState{}, fmt.Errorf("looking up a token: %w", err)
	}
	return state, nil
}

func tokenState(tx *layout.Tx, ref store.TokenRef) (state store.TokenState, err error) {
	mark, err := tx.Record(layout.Revoked, []byte(ref.JTI))
	if err != nil {
		return state, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	state.Revoked = mark != nil
	state.Live = true
	if !ref.UserID.IsZero() {
		state.User, err = layout.ReadUser(tx, ref.UserID)
		if errors.Is(err, store.ErrNotFound) {
			state.Live, err = false, nil
		}
		if err != nil {
			return state, err
		}
	}
	if ref.SessionID.IsZero() {
		return state, nil
	}
	key := layout.SessionKey(ref.UserID, ref.SessionID)
	raw := tx.Raw(layout.Sessions, key)
	if raw == nil {
		state.Live = false
		return state, nil
	}
	state.Session, err = layout.ReadSession(tx, key, raw, "")
	return state, err
}

// UseAssertion implements store.Assertions.
func (s *tokens) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	err := s.db.Update(ctx, func(t *layout.Tx) error {
		if t.Raw(layout.Assertions, id[:]) != nil {
			return store.ErrExists
		}
		return t.Put(layout.Assertions, id[:], codec.AppendTime(nil, until))
	})
	if err != nil {
		return fmt.Errorf("spending assertion %s: %w", id, err)
	}
	return nil
}
