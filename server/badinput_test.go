package server_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// What every refused token request looks like: JSON that nobody stores, an id to quote, and nothing
// of what was sent.
func checkRefusal(t *testing.T, a answer) {
	t.Helper()
	for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if a.Header.Get("X-Request-Id") == "" || a.str("error_description") == "" {
		t.Errorf("got no X-Request-Id or no error_description: %v %s", a.Header, a.Raw)
	}
	if a.Status == http.StatusUnauthorized && !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Basic realm=") {
		t.Errorf("401 with WWW-Authenticate %q", a.Header.Get("WWW-Authenticate"))
	}
	if strings.Contains(a.Raw, "canary") {
		t.Errorf("the answer echoes input: %s", a.Raw)
	}
}

const (
	goodLogin = "grant_type=password&username=ada&password=a+difference+engine"
	goodBody  = goodLogin + "&client_id=web&client_secret=web-secret"
)

// The bad-input table, in its order and under its numbers. Each row is followed by a good request,
// which must still work.
func TestBadTokenRequests(t *testing.T) {
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{} })
	body := func(b string) *request { return call(t, s, http.MethodPost, "/token").raw(b) }
	asWeb := func(b string) *request { return body(b).web() }
	pw := func(more string) *request { return asWeb(goodLogin + more) }
	for _, row := range []struct {
		n      string
		what   string
		req    *request
		status int
		code   string
	}{
		{"1", "GET", call(t, s, "GET", "/token"), 405, "invalid_request"},
		{"1", "PUT", call(t, s, "PUT", "/token").raw(goodBody), 405, "invalid_request"},
		{"1", "DELETE", call(t, s, "DELETE", "/token"), 405, "invalid_request"},
		{"1", "FOO", call(t, s, "FOO", "/token").set("X-HTTP-Method-Override", "POST"), 405, "invalid_request"},
		{"2", "all in the query", call(t, s, "POST", "/token?"+goodBody).raw(""), 401, "invalid_client"},
		{"3", "secret in the query", call(t, s, "POST", "/token?client_secret=web-secret").raw(goodLogin + "&client_id=web"), 401, "invalid_client"},
		{"4", "password in the query", call(t, s, "POST", "/token?username=ada&password=x").raw("grant_type=password").web(), 400, "invalid_request"},
		{"5", "JSON", body(`{"grant_type":"password"}`).set("Content-Type", "application/json"), 400, "invalid_request"},
		{"6", "multipart", body("x").set("Content-Type", "multipart/form-data; boundary=x"), 400, "invalid_request"},
		{"7", "no type", body(goodBody).set("Content-Type", ""), 400, "invalid_request"},
		{"7", "text", body(goodBody).set("Content-Type", "text/plain"), 400, "invalid_request"},
		{"7", "nearly", body(goodBody).set("Content-Type", "application/x-www-form-urlencodedx"), 400, "invalid_request"},
		{"8", "charset", body(goodBody).set("Content-Type", "Application/X-WWW-Form-URLEncoded; Charset=utf-8"), 200, ""},
		{"9", "gzip", body(goodBody).set("Content-Encoding", "gzip"), 415, "invalid_request"},
		{"10", "empty, no client", body(""), 401, "invalid_client"},
		{"10", "empty", asWeb(""), 400, "invalid_request"},
		{"11", "no grant_type", asWeb("username=ada&password=x"), 400, "invalid_request"},
		{"11", "empty grant_type", asWeb("grant_type=&username=ada"), 400, "invalid_request"},
		{"12", "unknown", asWeb("grant_type=canary"), 400, "unsupported_grant_type"},
		{"12", "upper case", asWeb("grant_type=PASSWORD"), 400, "unsupported_grant_type"},
		{"12", "trailing space", asWeb("grant_type=password+"), 400, "unsupported_grant_type"},
		{"12", "implicit", asWeb("grant_type=implicit"), 400, "unsupported_grant_type"},
		{"13", "array", asWeb("grant_type[]=password"), 400, "invalid_request"},
		{"14", "grant_type twice", pw("&grant_type=password"), 400, "invalid_request"},
		{"14", "username twice", pw("&username=ada"), 400, "invalid_request"},
		{"14", "scope twice", pw("&scope=profile&scope=profile"), 400, "invalid_request"},
		{"14", "client_id twice", body(goodBody + "&client_id=web"), 400, "invalid_request"},
		{"15", "unknown twice", pw("&canary=1&canary=2"), 200, ""},
		{"16", "empty scope", pw("&scope="), 200, ""},
		{"17", "semicolons", asWeb("grant_type=password;username=ada;password=x"), 400, "invalid_request"},
		{"18", "%", asWeb("grant_type=password&username=ada&password=%"), 400, "invalid_request"},
		{"18", "%Z", asWeb("grant_type=password&username=ada&password=%Z"), 400, "invalid_request"},
		{"18", "%ZZ", asWeb("grant_type=password&username=ada&password=%ZZ"), 400, "invalid_request"},
		{"19", "NUL", asWeb("grant_type=password&username=a%00da&password=x"), 400, "invalid_request"},
		{"20", "CR LF", asWeb("grant_type=password&username=ada%0d%0acanary&password=x"), 400, "invalid_request"},
		{"20", "LF in client_id", body("grant_type=client_credentials&client_id=web%0a"), 400, "invalid_request"},
		{"21", "broken UTF-8", asWeb("grant_type=password&username=ada%ff&password=x"), 400, "invalid_request"},
		{"21", "surrogate", asWeb("grant_type=password&username=%ed%a0%80&password=x"), 400, "invalid_request"},
		{"21", "overlong", asWeb("grant_type=password&username=%c0%af&password=x"), 400, "invalid_request"},
		{"22", "too large", asWeb(goodLogin + "&x=" + strings.Repeat("a", 64<<10)), 413, "invalid_request"},
		{"23", "20,000 parameters", asWeb(strings.Repeat("a&", 20000)), 400, "invalid_request"},
		{"30", "/token/", call(t, s, "POST", "/token/").raw(goodBody), 404, "not_found"},
		{"30", "//token", call(t, s, "POST", "//token").raw(goodBody), 404, "not_found"},
		{"30", "encoded", call(t, s, "POST", "/%74oken").raw(goodBody), 404, "not_found"},
		{"32", "foreign origin", pw("").set("Origin", "https://evil.example"), 200, ""},

		{"35", "no client", body(goodLogin), 401, "invalid_client"},
		{"36", "unknown client", body(goodLogin).basic("canary", "x"), 401, "invalid_client"},
		{"37", "wrong secret", body(goodLogin).basic("web", "canary"), 401, "invalid_client"},
		{"38", "wrong secret, body", body(goodLogin + "&client_id=web&client_secret=canary"), 401, "invalid_client"},
		{"39", "client_id only", body(goodLogin + "&client_id=web"), 401, "invalid_client"},
		{"39", "empty secret", body(goodLogin).basic("web", ""), 401, "invalid_client"},
		{"40", "Basic and body", pw("&client_id=web&client_secret=web-secret"), 400, "invalid_request"},
		{"41", "two ids", pw("&client_id=spa"), 400, "invalid_request"},
		{"41", "equal ids", pw("&client_id=web"), 200, ""},
		{"42", "bad base64", body(goodLogin).set("Authorization", "Basic !!"), 401, "invalid_client"},
		{"42", "no colon", body(goodLogin).set("Authorization", "Basic d2Vi"), 401, "invalid_client"},
		{"42", "empty", body(goodLogin).set("Authorization", "Basic "), 401, "invalid_client"},
		{"43", "%ZZ", rawBasic(body(goodLogin), "web:%ZZ"), 401, "invalid_client"},
		{"45", "all escaped", rawBasic(body(goodLogin), escapeAll("web")+":"+escapeAll("web-secret")), 200, ""},
		{"45", "bASIC", body(goodLogin).set("Authorization", "bASIC d2ViOndlYi1zZWNyZXQ="), 200, ""},
		{"46", "secret and a space", body(goodLogin).basic("web", "web-secret "), 401, "invalid_client"},
		{"46", "secret cut", body(goodLogin).basic("web", "web-secre"), 401, "invalid_client"},
		{"46", "secret and NUL", rawBasic(body(goodLogin), "web:web-secret%00"), 401, "invalid_client"},
		{"47", "Bearer", body(goodLogin).set("Authorization", "Bearer x"), 401, "invalid_client"},
		{"49", "public with a secret", body(goodLogin).basic("spa", "x"), 401, "invalid_client"},
		{"52", "public, client_credentials", body("grant_type=client_credentials&client_id=spa"), 400, "unauthorized_client"},
		{"53", "without the grant", body(goodLogin).basic("service", "service-secret"), 400, "unauthorized_client"},

		{"54", "no password", asWeb("grant_type=password&username=ada"), 400, "invalid_request"},
		{"54", "no username", asWeb("grant_type=password&password=x"), 400, "invalid_request"},
		{"55", "unknown user", asWeb("grant_type=password&username=canary&password=x"), 400, "invalid_grant"},
		{"55", "wrong password", asWeb("grant_type=password&username=ada&password=canary"), 400, "invalid_grant"},
		{"56", "long username", asWeb("grant_type=password&username=" + strings.Repeat("a", 10000) + "&password=x"), 400, "invalid_request"},
		{"57", "long password", asWeb("grant_type=password&username=ada&password=" + strings.Repeat("a", 10000)), 400, "invalid_grant"},
		{"59", "NUL in the password", pw("%00x"), 400, "invalid_request"},
		{"60", "case", asWeb("grant_type=password&username=ada&password=A+Difference+Engine"), 400, "invalid_grant"},
		{"60", "one more", pw("x"), 400, "invalid_grant"},
		{"60", "trailing space", pw("+"), 400, "invalid_grant"},
		{"62", "upper-case name", asWeb("grant_type=password&username=ADA&password=a+difference+engine"), 200, ""},
		{"62", "zero width", asWeb("grant_type=password&username=a%E2%80%8Bda&password=a+difference+engine"), 400, "invalid_grant"},
		{"62", "spaces", asWeb("grant_type=password&username=+ada&password=a+difference+engine"), 400, "invalid_grant"},
		{"63", "SQL", asWeb("grant_type=password&username=' OR 1=1 --&password={{7*7}}"), 400, "invalid_grant"},
		{"69", "unknown scope", pw("&scope=canary"), 400, "invalid_scope"},
		{"70", "quote in scope", pw(`&scope=%22`), 400, "invalid_scope"},
		{"70", "tab in scope", pw("&scope=profile%09x"), 400, "invalid_scope"},
		{"70", "two spaces", pw("&scope=profile++profile"), 400, "invalid_scope"},
		{"71", "another client's scope", pw("&scope=jobs"), 400, "invalid_scope"},
		{"125", "resource not listed", pw("&resource=https%3A%2F%2Fcanary.example"), 400, "invalid_target"},

		{"72", "no refresh_token", asWeb("grant_type=refresh_token"), 400, "invalid_request"},
		{"73", "garbled", asWeb("grant_type=refresh_token&refresh_token=canary"), 400, "invalid_grant"},
		{"74", "60 KiB", asWeb("grant_type=refresh_token&refresh_token=signet_rt_" + strings.Repeat("A", 60<<10)), 400, "invalid_grant"},
		{"74", "non-ASCII", asWeb("grant_type=refresh_token&refresh_token=signet_rt_%C3%A9"), 400, "invalid_grant"},
	} {
		t.Run(row.n+" "+row.what, func(t *testing.T) {
			row.req.t = t
			a := row.req.wants(row.status, row.code)
			if row.status >= 400 {
				checkRefusal(t, a)
			}
			if row.status == http.StatusMethodNotAllowed && a.Header.Get("Allow") != "POST, OPTIONS" {
				t.Errorf("Allow: got %q, want %q", a.Header.Get("Allow"), "POST, OPTIONS")
			}
			call(t, s, http.MethodPost, "/token").raw(goodBody).wants(http.StatusOK, "")
		})
	}
	call(t, s, http.MethodPost, "/token").raw("grant_type=password").basic("signet_cs_pasted", "x").wants(http.StatusUnauthorized, "invalid_client")
	if strings.Contains(s.Log.String(), "signet_cs_pasted") {
		t.Error("the log holds a secret that was sent in the place of the client id")
	}
	if strings.Contains(s.Log.String(), "a difference engine") || strings.Contains(s.Log.String(), "web-secret") {
		t.Error("the log holds a password or a secret")
	}
}

func rawBasic(r *request, pair string) *request {
	req := http.Request{Header: r.header}
	id, secret, _ := strings.Cut(pair, ":")
	req.SetBasicAuth(id, secret)
	return r
}

func escapeAll(s string) string {
	var b strings.Builder
	for i := range len(s) {
		fmt.Fprintf(&b, "%%%02X", s[i])
	}
	return b.String()
}

// Rows 36, 37, 51 and 55: whatever is wrong, the answer is the same to the byte.
func TestRefusalsTellNothingApart(t *testing.T) {
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Other, func(c *store.Client) { c.Disabled = true })
	unknown := form(t, s, "/token", "grant_type=client_credentials").basic("nobody", "x").wants(401, "invalid_client")
	for _, id := range []string{servertest.Web, servertest.Other} {
		if wrong := form(t, s, "/token", "grant_type=client_credentials").basic(id, "x").wants(401, "invalid_client"); wrong.Raw != unknown.Raw {
			t.Errorf("client %s: got %s, want what an unknown client gets, %s", id, wrong.Raw, unknown.Raw)
		}
	}
	right := form(t, s, "/token", "grant_type=client_credentials").basic(servertest.Other, servertest.OtherSecret).wants(401, "invalid_client")
	if right.Raw != unknown.Raw {
		t.Errorf("disabled client with the right secret: got %s", right.Raw)
	}

	nobody := form(t, s, "/token", "grant_type=password", "username=nobody", "password=x").web().wants(400, "invalid_grant")
	wrong := form(t, s, "/token", "grant_type=password", "username=ada", "password=x").web().wants(400, "invalid_grant")
	_, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { u.Disabled = true; return nil })
	if err != nil {
		t.Fatal(err)
	}
	disabled := form(t, s, "/token", "grant_type=password", "username=ada", "password="+servertest.Password).web().wants(400, "invalid_grant")
	if nobody.Raw != wrong.Raw || nobody.Raw != disabled.Raw {
		t.Errorf("logins: got %s, %s and %s, want the same", nobody.Raw, wrong.Raw, disabled.Raw)
	}
}

// Row 48: two Authorization headers, even if one is right.
func TestTwoAuthorizationHeaders(t *testing.T) {
	s := servertest.New(t, nil)
	r := form(t, s, "/token", "grant_type=client_credentials").web()
	r.header.Add("Authorization", "Basic d2ViOnw=")
	r.wants(http.StatusBadRequest, "invalid_request")
}

// Row 50: a client uses the method it is registered for.
func TestRegisteredMethod(t *testing.T) {
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.AuthMethods = []string{"client_secret_basic"} })
	body := form(t, s, "/token", "grant_type=client_credentials", "client_id=web", "client_secret=web-secret")
	body.wants(http.StatusUnauthorized, "invalid_client")
	form(t, s, "/token", "grant_type=client_credentials").web().wants(http.StatusOK, "")
}

// Rows 64 to 67: throttling by account and network, and by network.
func TestLoginThrottle(t *testing.T) {
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{PerAccount: 3, PerNetwork: 20} })
	try := func(user, password string) answer {
		return form(t, s, "/token", "grant_type=password", "username="+user, "password="+password).web().do()
	}
	for i := range 3 {
		if a := try("ada", fmt.Sprintf("wrong %d", i)); a.Status != http.StatusBadRequest {
			t.Fatalf("failure %d: got %d, want 400", i+1, a.Status)
		}
	}
	a := try("ada", "wrong again")
	for a.Status == http.StatusBadRequest { // the attempt that starts the wait may still be answered
		a = try("ada", "wrong once more")
	}
	if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
		t.Fatalf("after the limit: got %d, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	if right := try("ADA", servertest.Password); right.Status != http.StatusTooManyRequests || right.Raw != a.Raw {
		t.Errorf("right password while throttled: got %d %s, want the same 429", right.Status, right.Raw)
	}
	if other := try("grace", "wrong"); other.Status != http.StatusBadRequest {
		t.Errorf("another user meanwhile: got %d, want 400", other.Status)
	}
	s.Clock.Add(time.Minute)
	if back := try("ada", servertest.Password); back.Status != http.StatusOK {
		t.Errorf("after the wait: got %d, want 200", back.Status)
	}
	for i := range 25 {
		a = try(fmt.Sprintf("user%d", i), "spray")
	}
	if a.Status != http.StatusTooManyRequests {
		t.Errorf("spraying 25 users: got %d, want 429", a.Status)
	}
}

// golang.org/x/oauth2 sends a refused login twice; it counts once.
func TestSameFailureCountsOnce(t *testing.T) {
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{PerAccount: 3} })
	for range 8 {
		form(t, s, "/token", "grant_type=password", "username=ada", "password=typo").web().wants(http.StatusBadRequest, "invalid_grant")
	}
	login(t, s)
}

// Rows 80 to 85: a refresh token in the wrong hands, and a session whose ground is gone.
func TestRefreshBindings(t *testing.T) {
	t.Run("80 other client", func(t *testing.T) {
		s := servertest.New(t, nil)
		mine := login(t, s).str("refresh_token")
		form(t, s, "/token", "grant_type=refresh_token", "refresh_token="+mine).basic(servertest.Other, servertest.OtherSecret).wants(400, "invalid_grant")
		form(t, s, "/token", "grant_type=refresh_token", "refresh_token="+mine, "client_id=spa").wants(400, "invalid_grant")
		refresh(t, s, mine).wants(200, "")
	})
	t.Run("81 owner without its secret", func(t *testing.T) {
		s := servertest.New(t, nil)
		mine := login(t, s).str("refresh_token")
		form(t, s, "/token", "grant_type=refresh_token", "refresh_token="+mine, "client_id=web").wants(401, "invalid_client")
		refresh(t, s, mine).basic("web", "wrong").wants(401, "invalid_client")
		refresh(t, s, mine).wants(200, "")
	})
	t.Run("73 altered", func(t *testing.T) {
		s := servertest.New(t, nil)
		mine := login(t, s).str("refresh_token")
		for _, bad := range []string{mine[:len(mine)-1], mine + "A", mine + "=", strings.ToUpper(mine), " " + mine, mine[:40] + "\n" + mine[40:]} {
			refresh(t, s, bad).wants(400, "invalid_grant")
		}
		refresh(t, s, mine).wants(200, "")
	})
	t.Run("85 access token", func(t *testing.T) {
		s := servertest.New(t, nil)
		refresh(t, s, login(t, s).str("access_token")).wants(400, "invalid_grant")
	})
	change := func(name string, change func(*testing.T, *servertest.Server)) {
		t.Run("84 "+name, func(t *testing.T) {
			s := servertest.New(t, nil)
			mine := login(t, s).str("refresh_token")
			change(t, s)
			refresh(t, s, mine).wants(400, "invalid_grant")
		})
	}
	user := func(f func(*store.User)) func(*testing.T, *servertest.Server) {
		return func(t *testing.T, s *servertest.Server) {
			if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { f(u); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	client := func(f func(*store.Client)) func(*testing.T, *servertest.Server) {
		return func(t *testing.T, s *servertest.Server) { s.SetClient(t, servertest.Web, f) }
	}
	change("user disabled", user(func(u *store.User) { u.Disabled = true }))
	change("password changed", func(t *testing.T, s *servertest.Server) {
		s.Clock.Add(time.Second)
		user(func(u *store.User) { u.NotBefore = s.Clock.Now() })(t, s)
	})
	change("password grant withdrawn", client(func(c *store.Client) { c.Grants = []string{"refresh_token"} }))
	change("scope withdrawn", client(func(c *store.Client) { c.Scopes = []string{"profile"} }))
	t.Run("84 audience withdrawn", func(t *testing.T) {
		s := servertest.New(t, nil)
		s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{"https://api.example", "https://pay.example"} })
		mine := login(t, s).str("refresh_token")
		s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{"https://pay.example", "https://new.example"} })
		next := refresh(t, s, mine).wants(200, "")
		if _, claims := decodeJWT(t, next.str("access_token")); claims["aud"] != "https://pay.example" {
			t.Errorf("with one audience left: got %v", claims["aud"])
		}
		s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{"https://new.example"} })
		refresh(t, s, next.str("refresh_token")).wants(400, "invalid_grant")
	})
	t.Run("a login narrowed by resource stays narrow", func(t *testing.T) {
		s := servertest.New(t, func(cfg *server.Config) { cfg.Audience = []string{"https://a.example", "https://b.example"} })
		mine := login(t, s, "resource=https://a.example").str("refresh_token")
		next := refresh(t, s, mine).wants(200, "")
		if _, claims := decodeJWT(t, next.str("access_token")); claims["aud"] != "https://a.example" {
			t.Errorf("after a refresh: got audience %v, want the login's", claims["aud"])
		}
		refresh(t, s, next.str("refresh_token"), "resource=https://b.example").wants(400, "invalid_target")
	})
	t.Run("a new default audience signs nobody out", func(t *testing.T) {
		s := servertest.New(t, nil)
		mine := login(t, s).str("refresh_token")
		settings := s.Config.Settings
		settings.Audience = []string{"https://renamed.example"}
		s.Apply(settings)
		next := refresh(t, s, mine).wants(200, "")
		if _, claims := decodeJWT(t, next.str("access_token")); claims["aud"] != "https://renamed.example" {
			t.Errorf("got audience %v", claims["aud"])
		}
	})
	change("client's not-before", client(func(c *store.Client) { c.NotBefore = time.Now().Add(time.Hour) }))
}

// Rows 88 to 95.
func TestBadRevocations(t *testing.T) {
	s := servertest.New(t, nil)
	tokens := login(t, s)
	rt, at := tokens.str("refresh_token"), tokens.str("access_token")
	form(t, s, "/revoke", "token="+rt).wants(401, "invalid_client")                                        // 88
	form(t, s, "/revoke", "token="+rt).basic("web", "wrong").wants(401, "invalid_client")                  // 88
	form(t, s, "/revoke", "token="+rt, "client_id=web").wants(401, "invalid_client")                       // 88
	form(t, s, "/revoke").web().wants(400, "invalid_request")                                              // 89
	form(t, s, "/revoke", "token="+rt, "token="+rt).web().wants(400, "invalid_request")                    // 89
	call(t, s, "POST", "/revoke?token="+rt).raw("").web().wants(400, "invalid_request")                    // 89
	form(t, s, "/revoke", "token=unknown").web().wants(200, "")                                            // 90
	form(t, s, "/revoke", "token="+strings.Repeat(".", 9000)).web().wants(200, "")                         // 90
	form(t, s, "/revoke", "token="+rt).basic(servertest.Other, servertest.OtherSecret).wants(200, "")      // 91
	form(t, s, "/revoke", "token="+at).basic(servertest.Other, servertest.OtherSecret).wants(200, "")      // 91
	form(t, s, "/revoke", "token="+at[:strings.LastIndex(at, ".")+1]).web().wants(200, "")                 // 93
	form(t, s, "/revoke", "token=eyJhbGciOiJub25lIn0."+strings.Split(at, ".")[1]+".").web().wants(200, "") // 93
	if call(t, s, "GET", "/revoke").wants(405, "invalid_request").Header.Get("Allow") != "POST, OPTIONS" { // 95
		t.Error("GET /revoke: want Allow: POST, OPTIONS")
	}
	if !active(t, s, at) || !active(t, s, rt) {
		t.Fatal("a refused or foreign revocation revoked something")
	}
	form(t, s, "/revoke", "token="+at, "token_type_hint=refresh_token").web().wants(200, "") // 92
	if active(t, s, at) || !active(t, s, rt) {
		t.Error("revoking an access token: want it dead and its session alive")
	}
	next := refresh(t, s, rt).wants(200, "")
	form(t, s, "/revoke", "token="+rt, "token_type_hint=canary").web().wants(200, "") // 92, 94
	refresh(t, s, next.str("refresh_token")).wants(400, "invalid_grant")
	form(t, s, "/revoke", "token="+rt).web().wants(200, "") // 90, the second time
}

// Rows 96 to 105.
func TestBadIntrospections(t *testing.T) {
	s := servertest.New(t, nil)
	at := login(t, s).str("access_token")
	form(t, s, "/introspect", "token="+at).wants(401, "invalid_client")                                                      // 96
	form(t, s, "/introspect", "token="+at, "client_id=spa").wants(401, "invalid_client")                                     // 97
	form(t, s, "/introspect", "token="+at).basic(servertest.Other, servertest.OtherSecret).wants(403, "unauthorized_client") // 97
	form(t, s, "/introspect").web().wants(400, "invalid_request")                                                            // 98
	form(t, s, "/introspect", "token="+at, "token="+at).web().wants(400, "invalid_request")                                  // 98
	call(t, s, "GET", "/introspect?token="+at).wants(405, "invalid_request")                                                 // 105
	parts := strings.Split(at, ".")
	for name, token := range map[string]string{
		"99 unknown":        "x",
		"100 alg none":      "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0." + parts[1] + ".",
		"103 dots":          strings.Repeat(".", 20000),
		"103 claims":        parts[0] + "." + strings.Repeat("A", 30000) + "." + parts[2],
		"104 padded":        at + "=",
		"104 other claims":  parts[0] + "." + parts[1][:len(parts[1])-1] + "B." + parts[2],
		"104 extra segment": at + ".x",
	} {
		if active(t, s, token) {
			t.Errorf("%s: got active", name)
		}
	}
	s.Clock.Add(5 * time.Minute)
	if active(t, s, at) {
		t.Error("99 expired: got active")
	}
}

// Rows 106 to 111, and 33 and 34.
func TestPublicDocuments(t *testing.T) {
	s := servertest.New(t, nil)
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		if a := call(t, s, "POST", path).raw("").wants(405, "invalid_request"); a.Header.Get("Allow") != "GET, HEAD, OPTIONS" { // 106
			t.Errorf("POST %s: got Allow %q", path, a.Header.Get("Allow"))
		}
		a := call(t, s, "GET", path).set("Origin", "https://anyone.example").wants(200, "")
		if a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: got no CORS header", path)
		}
	}
	set := call(t, s, "GET", "/.well-known/jwks.json").wants(200, "") // 107
	if set.Header.Get("Content-Type") != "application/jwk-set+json" || !strings.HasPrefix(set.Header.Get("Cache-Control"), "public, max-age=") {
		t.Errorf("JWKS: got headers %v", set.Header)
	}
	if a := call(t, s, "GET", "/.well-known/jwks.json").set("If-None-Match", set.Header.Get("ETag")).wants(304, ""); a.Raw != "" {
		t.Errorf("304 with a body: %q", a.Raw)
	}
	if a := call(t, s, "HEAD", "/.well-known/jwks.json").wants(200, ""); a.Raw != "" || a.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: got %q, Content-Length %s", a.Raw, a.Header.Get("Content-Length"))
	}
	plain := call(t, s, "GET", "/.well-known/openid-configuration").wants(200, "")
	forged := call(t, s, "GET", "/.well-known/openid-configuration").set("X-Forwarded-Host", "evil.example").set("X-Forwarded-Proto", "https").
		set("Forwarded", "host=evil.example").wants(200, "") // 108
	if plain.Raw != forged.Raw || plain.str("issuer") != s.URL {
		t.Errorf("metadata: got %s, with forged headers %s", plain.Raw, forged.Raw)
	}
	for _, path := range []string{"/.well-known/openid-configuration/x", "/x/.well-known/openid-configuration", "/metrics", "/debug/pprof/", "/v1/clients", "/admin/v1/clients"} {
		call(t, s, "GET", path).wants(404, "not_found") // 109, 111
	}
	call(t, s, "GET", "/healthz").wants(200, "")
	call(t, s, "GET", "/readyz").wants(200, "")
	s.Drain()
	call(t, s, "GET", "/readyz").wants(503, "")
	call(t, s, "GET", "/healthz").wants(200, "")

	good := call(t, s, "OPTIONS", "/token").set("Origin", servertest.SPAOrigin).set("Access-Control-Request-Method", "POST").wants(204, "") // 33
	if good.Header.Get("Access-Control-Allow-Origin") != servertest.SPAOrigin || !strings.Contains(good.Header.Get("Vary"), "Origin") {
		t.Errorf("preflight: got %v", good.Header)
	}
	for _, origin := range []string{"https://evil.example", "null", servertest.SPAOrigin + ".evil.example", "http://app.example.com"} { // 34
		a := call(t, s, "OPTIONS", "/token").set("Origin", origin).set("Access-Control-Request-Method", "POST").wants(204, "")
		if a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("preflight from %s: got an Access-Control-Allow-Origin", origin)
		}
	}
	if a := login(t, s); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("an answer without Origin has a CORS header")
	}
}

// Rows 22, 24, 28 and 29, on the wire.
func TestRawConnections(t *testing.T) {
	s := servertest.New(t, nil)
	const form = "Content-Type: application/x-www-form-urlencoded\r\n"
	for _, row := range []struct{ name, send, want string }{
		{"24 headers over 16 KiB", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", "HTTP/1.1 431"},
		{"22 declared too large", "POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Content-Length: 99999\r\n\r\n", "HTTP/1.1 413"},
		{"31 expect", "POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 413"},
		{"28 length twice", "POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "HTTP/1.1 400"},
		{"28 xchunked", "POST /token HTTP/1.1\r\nHost: x\r\n" + form + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 501"},
		{"29 no host", "GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400"},
		{"29 two hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "HTTP/1.1 400"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if line := talk(t, s, row.send); !strings.HasPrefix(line, row.want) {
				t.Errorf("got %q, want %s", line, row.want)
			}
		})
	}
	t.Run("28 chunked with a length, and a second request behind it", func(t *testing.T) {
		conn := dial(t, s)
		fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: x\r\n%sContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", form)
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		var answers int
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "HTTP/1.1 ") {
				answers++
			}
		}
		if answers != 1 {
			t.Errorf("got %d answers, want 1 and a closed connection", answers)
		}
	})
}

func dial(t *testing.T, s *servertest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func talk(t *testing.T, s *servertest.Server, send string) string {
	t.Helper()
	conn := dial(t, s)
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, send)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}
