package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

func TestWithToken(t *testing.T) {
	t.Parallel()
	s, admin, secret := servertest.NewTokenAdmin(t, nil)
	good := s.OpsToken(t, secret).Wants(200, "").Str("access_token")
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(good).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"bob"}`).Bearer(good).Wants(201, "")
	if e := s.AwaitEvent(t, "user.create"); e.Actor != "ops" || e.ClientID != "" || e.Address == "" {
		t.Errorf("audit: got %+v", e)
	}
	admin.CallJSON(t, "GET", "/v1/nothing", "").Bearer(good).Wants(404, "not_found")

	narrow := s.Form(t, "/token", "grant_type=client_credentials", "scope=other").Basic("ops", secret).Wants(200, "").Str("access_token")
	foreign := s.ClientToken(t, servertest.Service, servertest.ServiceSecret).Wants(200, "").Str("access_token")
	user := s.Login(t)
	for _, c := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"none", "", 401, "unauthorized"},
		{"nonsense", "x", 401, "unauthorized"},
		{"forged", good[:len(good)-8] + "AAAAAAAA", 401, "unauthorized"},
		{"refresh token", user.Str("refresh_token"), 401, "unauthorized"},
		{"client secret", secret, 401, "unauthorized"},
		{"another scope", narrow, 403, "forbidden"},
		{"another client", foreign, 403, "forbidden"},
		{"user", user.Str("access_token"), 403, "forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/v1/clients", "/v1/backup", "/metrics", "/nowhere"} {
				a := admin.CallJSON(t, "GET", path, "").Bearer(c.token).Wants(c.status, c.code)
				if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") || (c.status == 403) != strings.Contains(got, "insufficient_scope") {
					t.Errorf("WWW-Authenticate: got %q", got)
				}
			}
		})
	}
	a := admin.Call(t, "GET", "/v1/clients").Wants(401, "unauthorized")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="signet"` {
		t.Errorf("WWW-Authenticate without a token: got %q", got)
	}
	admin.Call(t, "GET", "/v1/clients").Basic("ops", secret).Wants(401, "unauthorized")
	if e := s.AwaitEvent(t, "admin_auth"); e.Outcome != "refused" {
		t.Errorf("audit: got %+v", e)
	}
	if strings.Contains(s.Log.String(), good) || strings.Contains(s.Log.String(), secret) {
		t.Error("the log has a token or a secret")
	}
}

func TestTokenDiesWithItsClientsRights(t *testing.T) {
	t.Parallel()
	s, admin, secret := servertest.NewTokenAdmin(t, nil)
	fresh := func() string { return s.OpsToken(t, secret).Wants(200, "").Str("access_token") }
	token := fresh()
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = []string{"other"} })
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(403, "forbidden")
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = []string{"signet:admin"} })
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/clients/ops/disable", "").Bearer(token).Wants(200, "")
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(401, "unauthorized")

	s.SetClient(t, "ops", func(c *store.Client) { c.Disabled = false })
	token = fresh()
	s.Clock.Add(6 * time.Minute)
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(401, "unauthorized")
	token = fresh()
	s.Form(t, "/revoke", "token="+token).Basic("ops", secret).Wants(200, "")
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(401, "unauthorized")
}

func TestTokenFailuresAreThrottled(t *testing.T) {
	t.Parallel()
	s, admin, secret := servertest.NewTokenAdmin(t, func(cfg *server.Config) { cfg.Throttle.PerNetwork = 3 })
	good := s.OpsToken(t, secret).Wants(200, "").Str("access_token")
	for range 3 {
		admin.CallJSON(t, "GET", "/v1/clients", "").Bearer("x").Wants(401, "unauthorized")
	}
	a := admin.CallJSON(t, "GET", "/v1/clients", "").Bearer("x").Wants(http.StatusTooManyRequests, "throttled")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(good).Wants(200, "") // nobody locks an operator out
	s.Login(t)                                                              // nor the users behind the same address
	s.Clock.Add(time.Minute)
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer("x").Wants(401, "unauthorized")
}
