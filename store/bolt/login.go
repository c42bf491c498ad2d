package bolt

import (
	"context"
	"errors"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/bolt/throttle"
)

// logins has the two halves of a login.
type logins struct {
	counts   *throttle.Counts
	users    *users
	sessions *sessions
	clients  *clients
}

// BeginLogin implements store.Logins.
func (s *logins) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (store.Admission, store.Credential, error) {
	adm, err := s.counts.Allow(ctx, now, a)
	if err != nil || adm.Wait > 0 || adm.Busy {
		return adm, store.Credential{}, err
	}
	u, err := s.users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Admission{}, store.Credential{}, err
	}
	return adm, u.Credential(), nil
}

// FinishLogin implements store.Logins.
func (s *logins) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, in store.Session, b store.SessionLimits) (store.Login, error) {
	if err := s.counts.Succeed(ctx, r); err != nil {
		return store.Login{}, err
	}
	session, user, err := s.sessions.startSession(ctx, in, b, func(t *layout.Tx) error { return throttle.NoteNetworks(t, now, r.Attempt) })
	if err != nil {
		return store.Login{}, err
	}
	version, err := s.clients.ClientsVersion(ctx)
	return store.Login{Session: session, User: user, ClientsVersion: version}, err
}
