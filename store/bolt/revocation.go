package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/packed"
)

// RevokeToken implements store.Revocations.
func (s *Store) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if err := validJTI(jti); err != nil {
		return fmt.Errorf("revoking a token: %w", err)
	}
	return s.update(ctx, func(t *txn) error { return revokeToken(t, jti, until) })
}

func validJTI(jti string) error {
	if jti == "" || len(jti) > bbolt.MaxKeySize {
		return fmt.Errorf("its jti has %d bytes", len(jti))
	}
	return nil
}

func revokeToken(t *txn, jti string, until time.Time) error {
	raw := t.get(bucketRevoked, []byte(jti))
	if len(raw) == 8 && !packed.NewReader(raw).Time().Before(store.Millis(until)) {
		return nil // already marked for longer
	}
	return t.put(bucketRevoked, []byte(jti), packed.AppendTime(nil, until))
}

// TokenState implements store.Revocations.
func (s *Store) TokenState(ctx context.Context, ref store.TokenRef) (state store.TokenState, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		state, err = tokenState(tx, ref)
		return err
	})
	if err != nil {
		return store.TokenState{}, fmt.Errorf("looking up a token: %w", err)
	}
	return state, nil
}

func tokenState(tx reader, ref store.TokenRef) (state store.TokenState, err error) {
	state.Revoked = tx.Bucket(bucketRevoked).Get([]byte(ref.JTI)) != nil
	state.Live = true
	if !ref.UserID.IsZero() {
		state.User, err = readUser(tx, ref.UserID)
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
	key := sessionKey(ref.UserID, ref.SessionID)
	raw := tx.Bucket(bucketSessions).Get(key)
	if raw == nil {
		state.Live = false
		return state, nil
	}
	state.Session, err = readSession(key, raw, "")
	return state, err
}
