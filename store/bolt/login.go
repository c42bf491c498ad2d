package bolt

import (
	"context"
	"errors"
	"time"

	"signet/store"
)

// BeginLogin implements store.Logins.
func (s *Store) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (time.Duration, store.Credential, error) {
	wait, err := s.Take(ctx, now, a)
	if err != nil || wait > 0 {
		return wait, store.Credential{}, err
	}
	u, err := s.UserByName(ctx, username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, store.Credential{}, err
	}
	return 0, u.Credential(), nil
}

// FinishLogin implements store.Logins.
func (s *Store) FinishLogin(ctx context.Context, f store.Forgiveness, in store.Session, b store.Bounds) (store.Login, error) {
	if err := s.Forgive(ctx, f); err != nil {
		return store.Login{}, err
	}
	session, user, err := s.StartSession(ctx, in, b)
	if err != nil {
		return store.Login{}, err
	}
	version, err := s.ClientsVersion(ctx)
	return store.Login{Session: session, User: user, ClientsVersion: version}, err
}
