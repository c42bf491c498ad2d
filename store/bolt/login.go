package bolt

import (
	"context"
	"errors"
	"time"

	"signet/store"
)

// BeginLogin implements store.Logins.
func (s *Store) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (store.Admission, store.Credential, error) {
	adm, err := s.Allow(ctx, now, a)
	if err != nil || adm.Wait > 0 || adm.Busy {
		return adm, store.Credential{}, err
	}
	u, err := s.UserByName(ctx, username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Admission{}, store.Credential{}, err
	}
	return adm, u.Credential(), nil
}

// FinishLogin implements store.Logins.
func (s *Store) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, in store.Session, b store.SessionLimits) (store.Login, error) {
	if err := s.succeed(ctx, r); err != nil {
		return store.Login{}, err
	}
	session, user, err := s.startSession(ctx, in, b, func(t *txn) error { return noteNetworks(t, now, r.Attempt) })
	if err != nil {
		return store.Login{}, err
	}
	version, err := s.ClientsVersion(ctx)
	return store.Login{Session: session, User: user, ClientsVersion: version}, err
}
