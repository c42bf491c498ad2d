package admin_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"signet/server"
	"signet/server/admin/api"
	"signet/server/servertest"
	"signet/store"
)

// TestScopes asks for every verb with every scope. What is asked for does not exist or is malformed, so that
// nothing happens where the scope does.
func TestScopes(t *testing.T) {
	t.Parallel()
	s, admin, secret := servertest.NewTokenAdmin(t, nil)
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = append(api.Scopes, "other") })
	tokens := map[string]string{}
	for _, scope := range append(api.Scopes, "other") {
		tokens[scope] = s.Form(t, "/token", "grant_type=client_credentials", "scope="+scope).Basic("ops", secret).Wants(200, "").Str("access_token")
	}
	parameter := regexp.MustCompile(`\{\w+\}`)
	for _, verb := range api.Verbs {
		path := parameter.ReplaceAllString(verb.Path, "nobody")
		for scope, token := range tokens {
			allowed := scope == "signet:admin" || scope == verb.Scope || verb.Scope == "" && scope != "other"
			if allowed && verb.Name == "session.revoke_everybody" {
				continue // it has no input that could be wrong, and would end the other tokens
			}
			a := admin.CallJSON(t, verb.Method, path, "[]").Bearer(token).Do()
			if refused := a.Status == 403; refused == allowed {
				t.Errorf("%s %s with %s: got %d", verb.Method, verb.Path, scope, a.Status)
			}
			if want := `error="insufficient_scope", scope="` + verb.Scope; !allowed && !strings.Contains(a.Header.Get("WWW-Authenticate"), want) {
				t.Errorf("%s %s with %s: got WWW-Authenticate %q, want %s", verb.Method, verb.Path, scope, a.Header.Get("WWW-Authenticate"), want)
			}
		}
	}
}

// newOps registers a client with the scopes, as an operator does, and returns what asks for its tokens.
func newOps(t *testing.T, s, socket *servertest.Server, id string, scopes ...string) func(params ...string) *servertest.Request {
	t.Helper()
	list, _ := json.Marshal(scopes)
	secret := socket.CallJSON(t, "POST", "/v1/clients", `{"client_id":"`+id+`","grants":["client_credentials"],"audiences":["https://orders.example.com"],"scopes":`+string(list)+`}`).
		Wants(201, "").Str("client_secret")
	return func(params ...string) *servertest.Request {
		return s.Form(t, "/token", append(params, "grant_type=client_credentials")...).Basic(id, secret)
	}
}

// A token is for the admin API only when its request named the scope, and it is then for nothing else unless that
// was asked for too.
func TestScopesAreNamed(t *testing.T) {
	t.Parallel()
	s, socket := servertest.NewAdmin(t, nil)
	admin := s.ServeAdmin(t, s.AdminWithToken())
	ask := newOps(t, s, socket, "ops", "orders:read", "signet:admin", "signet:users")
	own := s.URL + "/admin"
	const orders = "https://orders.example.com"
	for _, c := range []struct {
		name, scope string // asked for
		resources   []string
		granted     string
		aud         any
		status      int // of the admin API
	}{
		{"nothing", "", nil, "orders:read", orders, 403},
		{"another service", "", []string{orders}, "orders:read", orders, 403},
		{"by name", "signet:admin", nil, "signet:admin", own, 200},
		{"a narrow one by name", "signet:users", nil, "signet:users", own, 200},
		{"with another scope", "orders:read signet:admin", nil, "orders:read signet:admin", own, 200},
		{"with its resource", "signet:admin", []string{own}, "signet:admin", own, 200},
		{"with both resources", "signet:admin", []string{own, orders}, "signet:admin", []any{own, orders}, 200},
		{"for another service", "signet:admin", []string{orders}, "signet:admin", orders, 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			var params []string
			for _, resource := range c.resources {
				params = append(params, "resource="+resource)
			}
			if c.scope != "" {
				params = append(params, "scope="+c.scope)
			}
			a := ask(params...).Wants(200, "")
			if got := a.Str("scope"); got != c.granted {
				t.Errorf("scope: got %q, want %q", got, c.granted)
			}
			if _, claims := servertest.DecodeJWT(t, a.Str("access_token")); !reflect.DeepEqual(claims["aud"], c.aud) {
				t.Errorf("aud: got %v, want %v", claims["aud"], c.aud)
			}
			b := admin.CallJSON(t, "GET", "/v1/users", "").Bearer(a.Str("access_token")).Do()
			if b.Status != c.status {
				t.Errorf("admin API: got %d, want %d", b.Status, c.status)
			}
			if c.status != 200 && (!strings.Contains(b.Header.Get("WWW-Authenticate"), "error=") || b.Str("message") == "" || b.Str("error_description") != b.Str("message")) {
				t.Errorf("refusal: got %v %s", b.Header, b.Raw)
			}
		})
	}
	ask("resource="+own).Wants(400, "invalid_target") // without the scope it has no business there
}

// A user's token never has one, whatever its client is registered for.
func TestUsersHaveNoAdminScopes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	admin := s.ServeAdmin(t, s.AdminWithToken())
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Scopes = []string{"profile", "signet:admin"} })
	a := s.Login(t)
	for range 2 {
		if a.Str("scope") != "profile" {
			t.Errorf("scope: got %q", a.Str("scope"))
		}
		admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(a.Str("access_token")).Wants(403, "forbidden")
		a = s.Refresh(t, a.Str("refresh_token")).Wants(200, "")
	}
	s.Refresh(t, a.Str("refresh_token"), "scope=signet:admin").Wants(400, "invalid_scope")
	s.Form(t, "/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password, "scope=signet:admin").Web().Wants(400, "invalid_scope")
}

// Who may handle clients cannot get at a scope that it does not have, neither for itself nor through another client.
func TestRightsDoNotGrow(t *testing.T) {
	t.Parallel()
	s, socket := servertest.NewAdmin(t, nil)
	admin := s.ServeAdmin(t, s.AdminWithToken())
	narrow := newOps(t, s, socket, "narrow", "signet:clients", "signet:metrics")("scope="+"signet:clients signet:metrics").Wants(200, "").Str("access_token")
	less := newOps(t, s, socket, "less", "signet:clients", "signet:admin")("scope=signet:clients").Wants(200, "").Str("access_token")
	newOps(t, s, socket, "root", "signet:admin")
	newOps(t, s, socket, "plain", "orders:read")
	jwks := `{"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]},"auth_methods":["private_key_jwt"]}`
	for _, verb := range [][3]string{
		{"POST", "", `{"client_id":"new","grants":["client_credentials"],"scopes":["signet:users"]}`},
		{"POST", "", `{"client_id":"new","grants":["client_credentials"],"scopes":["signet:admin"]}`},
		{"PATCH", "/narrow", `{"scopes":["signet:clients","signet:admin"]}`},
		{"PATCH", "/plain", `{"scopes":["signet:keys"]}`},
		{"PATCH", "/root", `{"scopes":["orders:read"]}`},
		{"PATCH", "/root", jwks},
		{"PATCH", "/root", `{"access_token_ttl":"1s"}`},
		{"POST", "/root/secret", ``},
		{"POST", "/root/secret", `{"revoke_old":true}`},
		{"POST", "/root/disable", ``},
		{"POST", "/root/enable", ``},
		{"DELETE", "/root", ``},
		{"POST", "/less/secret", ``},
	} {
		for _, token := range []string{narrow, less} {
			if token == less && verb[1] == "/narrow" {
				continue
			}
			a := admin.CallJSON(t, verb[0], "/v1/clients"+verb[1], verb[2]).Bearer(token).Wants(403, "forbidden")
			if got := a.Header.Get("WWW-Authenticate"); !strings.Contains(got, `scope="signet:`) {
				t.Errorf("%s %s: WWW-Authenticate: got %q", verb[0], verb[1], got)
			}
		}
	}
	if a := socket.CallJSON(t, "GET", "/v1/clients/root", "").Wants(200, ""); !strings.Contains(a.Raw, `"signet:admin"`) || strings.Count(a.Raw, `"created_at"`) != 2 || a.JSON["disabled"] != false {
		t.Errorf("root was changed: %s", a.Raw)
	}
	// What it has it may give, and other clients are its to handle.
	admin.CallJSON(t, "PATCH", "/v1/clients/plain", `{"scopes":["signet:metrics","orders:read"]}`).Bearer(narrow).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/clients/plain/secret", "").Bearer(narrow).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"new","grants":["client_credentials"],"scopes":["orders:read"]}`).Bearer(narrow).Wants(201, "")
	admin.CallJSON(t, "DELETE", "/v1/clients/new", "").Bearer(narrow).Wants(204, "")
	admin.CallJSON(t, "POST", "/v1/users", `{"username":"eve"}`).Bearer(narrow).Wants(403, "forbidden")
	if e := s.AwaitEvent(t, "admin_auth"); e.Actor != "narrow" || e.Outcome != "refused" {
		t.Errorf("audit: got %+v", e)
	}
}

// What is taken from the client is gone at once, whatever this server has cached.
func TestScopeTakenAway(t *testing.T) {
	t.Parallel()
	s, socket := servertest.NewAdmin(t, nil)
	admin := s.ServeAdmin(t, s.AdminWithToken())
	token := newOps(t, s, socket, "ops", "signet:admin")("scope=signet:admin").Wants(200, "").Str("access_token")
	change := func(change func(*store.Client)) { // as another replica does, before its hint has come
		if _, err := s.Store.UpdateClient(t.Context(), "ops", func(c *store.Client) error { change(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(200, "")
	change(func(c *store.Client) { c.Scopes = []string{"signet:users"} })
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(403, "forbidden")
	change(func(c *store.Client) { c.Scopes, c.Disabled = []string{"signet:admin"}, true })
	admin.CallJSON(t, "GET", "/v1/clients", "").Bearer(token).Wants(401, "unauthorized")
}

// /userinfo takes tokens for the issuer or the server's default audience.
func TestUserinfoAudience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		server, client []string // audiences; URL stands for the issuer
		resource       string
		status         int
	}{
		{"the default", nil, nil, "", 200},
		{"a default of its own", []string{"https://api.example.com"}, nil, "", 200},
		{"the issuer beside others", nil, []string{"https://orders.example.com", "URL"}, "", 200},
		{"narrowed to the issuer", nil, []string{"https://orders.example.com", "URL"}, "URL", 200},
		{"narrowed to another", nil, []string{"https://orders.example.com", "URL"}, "https://orders.example.com", 401},
		{"another service alone", nil, []string{"https://orders.example.com"}, "", 401},
		{"another one than the default", []string{"https://api.example.com"}, []string{"https://orders.example.com"}, "", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := servertest.New(t, func(cfg *server.Config) { cfg.Audience = c.server })
			for i, aud := range c.client {
				c.client[i] = strings.ReplaceAll(aud, "URL", s.URL)
			}
			s.SetClient(t, servertest.Web, func(client *store.Client) { client.Audiences = c.client })
			params := []string{"grant_type=password", "username=" + servertest.User, "password=" + servertest.Password}
			if c.resource != "" {
				params = append(params, "resource="+strings.ReplaceAll(c.resource, "URL", s.URL))
			}
			token := s.Form(t, "/token", params...).Web().Wants(200, "").Str("access_token")
			a := s.Userinfo(t, token).Do()
			if got := a.Header.Get("WWW-Authenticate"); a.Status != c.status || (c.status == 401) != strings.Contains(got, `error="invalid_token"`) {
				t.Errorf("got %d, WWW-Authenticate %q, want %d", a.Status, got, c.status)
			}
		})
	}
}

// A refresh token is active where a refresh with it would go through.
func TestIntrospectedRefreshTokenFollowsItsClient(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*store.Client){
		"refresh grant":  func(c *store.Client) { c.Grants = []string{"password"} },
		"password grant": func(c *store.Client) { c.Grants = []string{"refresh_token"} },
		"scope":          func(c *store.Client) { c.Scopes = []string{"profile"} },
		"audience":       func(c *store.Client) { c.Audiences = []string{"https://elsewhere.example.com"} },
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.New(t, nil)
			s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{"https://orders.example.com"} })
			token := s.Login(t).Str("refresh_token")
			if !s.Active(t, token) {
				t.Fatal("it is not active from the start")
			}
			s.SetClient(t, servertest.Web, change)
			if s.Active(t, token) {
				t.Error("it is active after the client has lost the " + name)
			}
			if s.Refresh(t, token).Do().Status == 200 {
				t.Error("it refreshes")
			}
		})
	}
}
