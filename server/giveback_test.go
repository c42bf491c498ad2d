package server_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// moody is a store that sometimes does not find out who a user is.
type moody struct {
	store.Store
	down atomic.Bool
}

func (m *moody) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, name string) (store.Admission, store.Credential, error) {
	adm, c, err := m.Store.BeginLogin(ctx, now, a, name)
	if m.down.Load() {
		return store.Admission{}, store.Credential{}, fmt.Errorf("looking for a user: %w", store.ErrUnavailable)
	}
	return adm, c, err
}

// A login that could not be decided is no failure of the user's: it is 503 with Retry-After, and it
// does not count.
func TestUndecidedLoginsDoNotCount(t *testing.T) {
	t.Parallel()
	m := &moody{}
	s := servertest.New(t, func(cfg *server.Config) {
		m.Store, cfg.Store = cfg.Store, m
		cfg.Throttle = throttle.Config{PerAccount: 2, PerNetwork: 2}
	})
	m.down.Store(true)
	for i := range 5 {
		a := s.Form(t, "/token", "grant_type=password", "username=ada", fmt.Sprintf("password=%d", i)).Web().Wants(http.StatusServiceUnavailable, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
	m.down.Store(false)
	s.Login(t)
}
