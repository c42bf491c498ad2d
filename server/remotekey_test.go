package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// newRemote starts a server whose signing keys are in a vault.
func newRemote(t *testing.T, change func(*server.Config)) (*servertest.Server, *keystest.Vault) {
	t.Helper()
	v := keystest.NewVault()
	return servertest.New(t, func(cfg *server.Config) {
		ring := keys.Config{Storage: &keystest.Storage{}, InstallID: "x", Master: []masterkey.Key{masterkey.New()}, Now: cfg.Now, Remote: privatekey.Remote{Provider: v}}
		if err := keys.Init(t.Context(), ring); err != nil {
			t.Fatal(err)
		}
		var err error
		if cfg.Keys, err = keys.Open(t.Context(), ring); err != nil {
			t.Fatal(err)
		}
		change(cfg)
	}), v
}

func away(v *keystest.Vault, away bool) { v.Change(func(v *keystest.Vault) { v.Away = away }) }

func signatures(v *keystest.Vault) (n int) {
	v.Change(func(v *keystest.Vault) { n = v.Signed })
	return n
}

// unavailable checks that the answer is one after which the request may be repeated.
func unavailable(t *testing.T, r *servertest.Request) {
	t.Helper()
	a := r.Wants(http.StatusServiceUnavailable, "temporarily_unavailable")
	if a.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// A refresh token is not spent before there is a signature, not even without a grace window.
func TestRefreshSurvivesASignerThatIsAway(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(cfg *server.Config) { cfg.Grace = 0 })
	first := s.Login(t).Str("refresh_token")
	for range 3 {
		away(v, true)
		unavailable(t, s.Refresh(t, first))
		away(v, false)
	}
	second := s.Refresh(t, first).Wants(http.StatusOK, "")
	if !strings.Contains(s.Log.String(), keystest.ErrAway.Error()) {
		t.Error("the log has no cause of the 503")
	}
	_, claims := servertest.DecodeJWT(t, second.Str("access_token"))
	if claims["sub"] != s.UserID.String() || claims["sid"] == "" || claims["roles"] == nil {
		t.Errorf("claims of a token that was signed ahead: got %v", claims)
	}
	s.Refresh(t, first).Wants(http.StatusBadRequest, "invalid_grant")                       // spent, as ever
	s.Refresh(t, second.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant") // and so the session is over
	before := signatures(v)
	s.Refresh(t, second.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant")
	if got := signatures(v); got != before {
		t.Errorf("a session that is over cost %d signatures", got-before)
	}
}

// A token that was signed ahead is not given out when the user was disabled meanwhile.
func TestRefreshThatSignsAheadStillAsksTheStore(t *testing.T) {
	t.Parallel()
	s, _ := newRemote(t, func(cfg *server.Config) {})
	first := s.Login(t).Str("refresh_token")
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
		t.Fatal(err)
	}
	a := s.Refresh(t, first).Wants(http.StatusBadRequest, "invalid_grant")
	if a.Str("access_token") != "" {
		t.Error("a disabled user got a token")
	}
}

// Logins that come to nothing leave no session behind, so they crowd out no other.
func TestLoginsWithoutASignerCrowdNobodyOut(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(cfg *server.Config) { cfg.SessionsPerUser = 3 })
	first := s.Login(t).Str("refresh_token")
	away(v, true)
	for range 5 {
		unavailable(t, s.Form(t, "/token", "grant_type=password", "username=ada", "password="+servertest.Password).Web())
	}
	unavailable(t, s.Form(t, "/token", "grant_type=client_credentials").Web())
	away(v, false)
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(sessions) != 1 {
		t.Errorf("got %d sessions, %v, want 1", len(sessions), err)
	}
	s.Refresh(t, first).Wants(http.StatusOK, "")
}
