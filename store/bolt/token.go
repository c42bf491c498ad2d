package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/record"
	"signet/store/codec"
)

// tokens has the access tokens that were revoked and the client assertions that were used.
type tokens struct{ db *commit.DB }

// RevokeToken implements store.Revocations.
func (s *tokens) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if err := record.ValidJTI(jti); err != nil {
		return fmt.Errorf("revoking a token: %w", err)
	}
	return s.db.Update(ctx, func(t *record.Tx) error { return record.PutMark(t, record.Revoked, []byte(jti), until) })
}

// TokenState implements store.Revocations.
func (s *tokens) TokenState(ctx context.Context, ref store.TokenRef) (state store.TokenState, err error) {
	err = s.db.View(ctx, func(tx *record.Tx) error {
		state, err = tokenState(tx, ref)
		return err
	})
	if err != nil {
		return store.TokenState{}, fmt.Errorf("looking up a token: %w", err)
	}
	return state, nil
}

func tokenState(tx *record.Tx, ref store.TokenRef) (state store.TokenState, err error) {
	mark, err := tx.Record(record.Revoked, []byte(ref.JTI))
	if err != nil {
		return state, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	state.Revoked = mark != nil
	state.Live = true
	if !ref.UserID.IsZero() {
		state.User, err = record.ReadUser(tx, ref.UserID)
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
	key := record.SessionKey(ref.UserID, ref.SessionID)
	raw := tx.Raw(record.Sessions, key)
	if raw == nil {
		state.Live = false
		return state, nil
	}
	state.Session, err = record.ReadSession(tx, key, raw, "")
	return state, err
}

// UseAssertion implements store.Assertions.
func (s *tokens) UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error {
	err := s.db.Update(ctx, func(t *record.Tx) error {
		if t.Raw(record.Assertions, id[:]) != nil {
			return store.ErrExists
		}
		return t.Put(record.Assertions, id[:], codec.AppendTime(nil, until))
	})
	if err != nil {
		return fmt.Errorf("spending assertion %s: %w", id, err)
	}
	return nil
}
