package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// RevokeToken implements store.Revocations.
func (s *Store) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if err := validJTI(jti); err != nil {
		return fmt.Errorf("revoking a token: %w", err)
	}
	return s.update(ctx, func(t *txn) error { return markUntil(t, bucketRevoked, []byte(jti), until) })
}

func validJTI(jti string) error {
	if jti == "" || len(jti) > bbolt.MaxKeySize {
		return fmt.Errorf("its jti has %d bytes", len(jti))
	}
	return nil
}

// markUntil marks a key until a time, and never for less than it is marked already.
func markUntil(t *txn, bucket, key []byte, until time.Time) error {
	raw, err := t.record(bucket, key)
	if err != nil {
		return fmt.Errorf("%w: reading a mark: %w", store.ErrUnavailable, err)
	}
	if len(raw) == 8 && !codec.NewReader(raw).Time().Before(store.Millis(until)) {
		return nil
	}
	return t.put(bucket, key, codec.AppendTime(nil, until))
}

// TokenState implements store.Revocations.
func (s *Store) TokenState(ctx context.Context, ref store.TokenRef) (state store.TokenState, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		state, err = tokenState(tx, ref)
		return err
	})
	if err != nil {
		return store.TokenState{}, fmt.Errorf("looking up a token: %w", err)
	}
	return state, nil
}

func tokenState(tx reader, ref store.TokenRef) (state store.TokenState, err error) {
	mark, err := tx.record(bucketRevoked, []byte(ref.JTI))
	if err != nil {
		return state, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	state.Revoked = mark != nil
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
	state.Session, err = readSession(tx, key, raw, "")
	return state, err
}
