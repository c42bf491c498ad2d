package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// newTokenAdmin starts a server, its token-protected admin API, and a client that may use it.
func newTokenAdmin(t *testing.T, change func(*server.Config)) (s, admin *servertest.Server, secret string) {
	t.Helper()
	s, socket := newAdmin(t, change)
	secret = adminCall(t, socket, "POST", "/v1/clients", `{"client_id":"ops","grants":["client_credentials"],"scopes":["signet:admin","other"]}`).
		wants(201, "").str("client_secret")
	return s, adminOf(t, s, s.AdminWithToken()), secret
}

// opsToken asks for a token for the admin API.
func opsToken(t testing.TB, s *servertest.Server, secret string) *request {
	return form(t, s, "/token", "grant_type=client_credentials", "scope=signet:admin").basic("ops", secret)
}

func withToken(t testing.TB, admin *servertest.Server, method, path, body, token string) *request {
	return adminCall(t, admin, method, path, body).set("Authorization", "Bearer "+token)
}

func TestAdminWithToken(t *testing.T) {
	t.Parallel()
	s, admin, secret := newTokenAdmin(t, nil)
	good := opsToken(t, s, secret).wants(200, "").str("access_token")
	withToken(t, admin, "GET", "/v1/clients", "", good).wants(200, "")
	withToken(t, admin, "POST", "/v1/users", `{"username":"bob"}`, good).wants(201, "")
	if e := trail(t, s, "user.create"); e.Actor != "ops" || e.ClientID != "" || e.Address == "" {
		t.Errorf("audit: got %+v", e)
	}
	withToken(t, admin, "GET", "/v1/nothing", "", good).wants(404, "not_found")

	narrow := form(t, s, "/token", "grant_type=client_credentials", "scope=other").basic("ops", secret).wants(200, "").str("access_token")
	foreign := clientToken(t, s, servertest.Service, servertest.ServiceSecret).wants(200, "").str("access_token")
	user := login(t, s)
	for _, c := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"none", "", 401, "unauthorized"},
		{"nonsense", "x", 401, "unauthorized"},
		{"forged", good[:len(good)-8] + "AAAAAAAA", 401, "unauthorized"},
		{"refresh token", user.str("refresh_token"), 401, "unauthorized"},
		{"client secret", secret, 401, "unauthorized"},
		{"another scope", narrow, 403, "forbidden"},
		{"another client", foreign, 403, "forbidden"},
		{"user", user.str("access_token"), 403, "forbidden"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/v1/clients", "/v1/backup", "/metrics", "/nowhere"} {
				a := withToken(t, admin, "GET", path, "", c.token).wants(c.status, c.code)
				if got := a.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") || (c.status == 403) != strings.Contains(got, "insufficient_scope") {
					t.Errorf("WWW-Authenticate: got %q", got)
				}
			}
		})
	}
	a := call(t, admin, "GET", "/v1/clients").wants(401, "unauthorized")
	if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="signet"` {
		t.Errorf("WWW-Authenticate without a token: got %q", got)
	}
	call(t, admin, "GET", "/v1/clients").basic("ops", secret).wants(401, "unauthorized")
	if e := trail(t, s, "admin_auth"); e.Outcome != "refused" {
		t.Errorf("audit: got %+v", e)
	}
	if strings.Contains(s.Log.String(), good) || strings.Contains(s.Log.String(), secret) {
		t.Error("the log has a token or a secret")
	}
}

func TestAdminTokenDiesWithItsClientsRights(t *testing.T) {
	t.Parallel()
	s, admin, secret := newTokenAdmin(t, nil)
	fresh := func() string { return opsToken(t, s, secret).wants(200, "").str("access_token") }
	token := fresh()
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = []string{"other"} })
	withToken(t, admin, "GET", "/v1/clients", "", token).wants(403, "forbidden")
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = []string{"signet:admin"} })
	withToken(t, admin, "GET", "/v1/clients", "", token).wants(200, "")
	withToken(t, admin, "POST", "/v1/clients/ops/disable", "", token).wants(200, "")
	withToken(t, admin, "GET", "/v1/clients", "", token).wants(401, "unauthorized")

	s.SetClient(t, "ops", func(c *store.Client) { c.Disabled = false })
	token = fresh()
	s.Clock.Add(6 * time.Minute)
	withToken(t, admin, "GET", "/v1/clients", "", token).wants(401, "unauthorized")
	token = fresh()
	form(t, s, "/revoke", "token="+token).basic("ops", secret).wants(200, "")
	withToken(t, admin, "GET", "/v1/clients", "", token).wants(401, "unauthorized")
}

func TestAdminTokenFailuresAreThrottled(t *testing.T) {
	t.Parallel()
	s, admin, secret := newTokenAdmin(t, func(cfg *server.Config) { cfg.Throttle.PerNetwork = 3 })
	good := opsToken(t, s, secret).wants(200, "").str("access_token")
	for range 3 {
		withToken(t, admin, "GET", "/v1/clients", "", "x").wants(401, "unauthorized")
	}
	a := withToken(t, admin, "GET", "/v1/clients", "", "x").wants(http.StatusTooManyRequests, "throttled")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	withToken(t, admin, "GET", "/v1/clients", "", good).wants(200, "") // nobody locks an operator out
	login(t, s)                                                        // nor the users behind the same address
	s.Clock.Add(time.Minute)
	withToken(t, admin, "GET", "/v1/clients", "", "x").wants(401, "unauthorized")
}
