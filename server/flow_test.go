package server_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

func TestLoginRefreshUserinfoRevoke(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	first := s.Login(t)
	if first.Str("token_type") != "Bearer" || first.JSON["expires_in"] != float64(300) || first.Str("scope") != strings.Join(servertest.Scopes, " ") {
		t.Errorf("login: got %s", first.Raw)
	}
	if got := first.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("login: Cache-Control got %q, want no-store", got)
	}
	info := s.Userinfo(t, first.Str("access_token")).Wants(http.StatusOK, "")
	if info.Str("sub") != s.UserID.String() || info.Str("preferred_username") != servertest.User || info.JSON["roles"] == nil || info.JSON["shoe_size"] != nil {
		t.Errorf("userinfo: got %s", info.Raw)
	}

	second := s.Refresh(t, first.Str("refresh_token")).Wants(http.StatusOK, "")
	if second.Str("refresh_token") == first.Str("refresh_token") || second.Str("access_token") == first.Str("access_token") {
		t.Error("refresh answered a token it had answered before")
	}
	if !s.Active(t, second.Str("access_token")) || !s.Active(t, second.Str("refresh_token")) || s.Active(t, first.Str("refresh_token")) {
		t.Error("introspection: want the new tokens active and the rotated one not")
	}

	if a := s.Form(t, "/revoke", "token="+second.Str("refresh_token")).Web().Wants(http.StatusOK, ""); a.Raw != "{}\n" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("revoke: got %q of type %q, want {}", a.Raw, a.Header.Get("Content-Type"))
	}
	s.Refresh(t, second.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant")
	if s.Active(t, first.Str("access_token")) || s.Active(t, second.Str("access_token")) {
		t.Error("an access token outlived its session in introspection")
	}
	s.Userinfo(t, second.Str("access_token")).Wants(http.StatusUnauthorized, "invalid_token")
}

// The claims a verifier meets (RFC 9068 §2).
func TestAccessTokenClaims(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	token := s.Login(t, "scope=profile").Str("access_token")
	header, claims := servertest.DecodeJWT(t, token)
	if header["typ"] != "at+jwt" || header["alg"] != "ES256" || header["kid"] == "" || len(header) != 3 {
		t.Errorf("header: got %v", header)
	}
	now := float64(s.Clock.Now().Unix())
	for name, want := range map[string]any{
		"iss": s.URL, "sub": s.UserID.String(), "aud": s.URL, "client_id": servertest.Web, "scope": "profile",
		"iat": now, "nbf": now, "exp": now + 300, "auth_time": now, "preferred_username": servertest.User,
	} {
		if claims[name] != want {
			t.Errorf("claim %s: got %v, want %v", name, claims[name], want)
		}
	}
	if claims["jti"] == "" || claims["sid"] == "" || claims["roles"] == nil || claims["shoe_size"] != nil {
		t.Errorf("claims: got %v; want jti, sid and roles, which the client asks for, and no shoe_size", claims)
	}

	_, own := servertest.DecodeJWT(t, s.Form(t, "/token", "grant_type=client_credentials").Basic(servertest.Service, servertest.ServiceSecret).
		Wants(http.StatusOK, "").Str("access_token"))
	if own["sub"] != servertest.Service || own["sid"] != nil || own["auth_time"] != nil {
		t.Errorf("client's own token: got %v", own)
	}
	if aud, ok := own["aud"].([]any); !ok || len(aud) != 2 {
		t.Errorf("two audiences: got %v, want an array of both", own["aud"])
	}
}

func TestGraceAnswersTheSameSuccessor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	first := s.Login(t)
	second := s.Refresh(t, first.Str("refresh_token")).Wants(http.StatusOK, "")
	s.Clock.Add(9 * time.Second)
	again := s.Refresh(t, first.Str("refresh_token")).Wants(http.StatusOK, "")
	if again.Str("refresh_token") != second.Str("refresh_token") {
		t.Error("a retry inside the grace window got another successor")
	}
	if again.Str("access_token") == second.Str("access_token") {
		t.Error("a retry got the same access token, want a fresh one")
	}
	s.Clock.Add(2 * time.Second)
	s.Refresh(t, first.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant")
	s.Refresh(t, second.Str("refresh_token")).Wants(http.StatusBadRequest, "invalid_grant") // the session has ended
	if !strings.Contains(s.Log.String(), "refresh_reuse") {
		t.Error("reuse left no audit event in the log")
	}
}

func TestScopeNarrowsForTheAccessTokenOnly(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	first := s.Login(t)
	narrow := s.Refresh(t, first.Str("refresh_token"), "scope=profile").Wants(http.StatusOK, "")
	if narrow.Str("scope") != "profile" {
		t.Errorf("narrowed: got scope %q", narrow.Str("scope"))
	}
	wide := s.Refresh(t, narrow.Str("refresh_token")).Wants(http.StatusOK, "")
	if wide.Str("scope") != strings.Join(servertest.Scopes, " ") {
		t.Errorf("after narrowing: got scope %q, want all of the login's", wide.Str("scope"))
	}
	one := s.Login(t, "scope=profile")
	s.Refresh(t, one.Str("refresh_token"), "scope=profile orders:read").Wants(http.StatusBadRequest, "invalid_scope")
	s.Refresh(t, one.Str("refresh_token")).Wants(http.StatusOK, "") // the refusal consumed nothing
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		steps []time.Duration // between refreshes
		last  int
	}{
		{"idle, just before", []time.Duration{30*24*time.Hour - time.Second}, http.StatusOK},
		{"idle", []time.Duration{30 * 24 * time.Hour}, http.StatusBadRequest},
		{"absolute, just before", []time.Duration{29 * 24 * time.Hour, 29 * 24 * time.Hour, 29 * 24 * time.Hour}, http.StatusOK},
		{"absolute", []time.Duration{29 * 24 * time.Hour, 29 * 24 * time.Hour, 29 * 24 * time.Hour, 3 * 24 * time.Hour}, http.StatusBadRequest},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := servertest.New(t, nil)
			a := s.Login(t)
			for i, step := range test.steps {
				s.Move(t, step)
				want, code := http.StatusOK, ""
				if i == len(test.steps)-1 && test.last != http.StatusOK {
					want, code = test.last, "invalid_grant"
				}
				a = s.Refresh(t, a.Str("refresh_token")).Wants(want, code)
			}
		})
	}
}

// lossy is a store whose last loss a test sets.
type lossy struct {
	store.Store
	loss store.Loss
}

func (l *lossy) Loss(context.Context) (store.Loss, error) { return l.loss, nil }

// A store that was set back (a failover, a restored backup) has an older generation than the app holds.
// Nobody is signed out: the session moves on from what the app has. Where nothing was lost, nobody can hold
// such a token, and it gets nothing.
func TestLostRotationHeals(t *testing.T) {
	t.Parallel()
	backend := &lossy{}
	s := servertest.New(t, func(cfg *server.Config) {
		backend.Store = cfg.Store
		cfg.Store = backend
	})
	token := s.Login(t).Str("refresh_token")
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("sessions: got %v, %v", sessions, err)
	}
	old := sessions[0] // generation 0
	for range 3 {
		token = s.Refresh(t, token).Wants(http.StatusOK, "").Str("refresh_token")
	}
	if _, err := s.Store.RevokeSession(t.Context(), old.UserID, old.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Store.StartSession(t.Context(), old, store.SessionLimits{PerUser: 10}); err != nil {
		t.Fatal(err)
	}
	s.Refresh(t, token).Wants(http.StatusBadRequest, "invalid_grant")
	if !strings.Contains(s.Log.String(), `"outcome":"ahead"`) {
		t.Error("the log does not name the token that is newer than its session")
	}
	backend.loss = store.Loss{At: s.Clock.Now()}
	next := s.Refresh(t, token).Wants(http.StatusOK, "").Str("refresh_token")
	if !strings.Contains(s.Log.String(), `"outcome":"healed"`) {
		t.Error("the log does not say that a rotation was lost")
	}
	s.Refresh(t, next).Wants(http.StatusOK, "")
}

// A session that asked for no resource follows the server's default: to change that signs nobody out.
func TestNewDefaultAudienceSignsNobodyOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	mine := s.Login(t).Str("refresh_token")
	settings := s.Config.Settings
	settings.Audience = []string{"https://renamed.example"}
	s.Apply(settings)
	next := s.Refresh(t, mine).Wants(http.StatusOK, "")
	if _, claims := servertest.DecodeJWT(t, next.Str("access_token")); claims["aud"] != "https://renamed.example" {
		t.Errorf("got audience %v", claims["aud"])
	}
}
