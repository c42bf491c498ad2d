package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"signet/server/servertest"
	"signet/store"
)

// Where strictness protects nobody, requests of real clients are accepted as they come. The same kind of
// input with another meaning is refused as before.
func TestLenientForms(t *testing.T) {
	t.Parallel()
	const grant = "grant_type=client_credentials"
	s := servertest.New(t, nil)
	for _, row := range []struct {
		name, contentType, body string
		status                  int
	}{
		{"another charset", "application/x-www-form-urlencoded; charset=ISO-8859-1", grant, 200},
		{"a charset that is none", "application/x-www-form-urlencoded; charset=utf8", grant, 200},
		{"a quoted charset", `application/x-www-form-urlencoded; charset="UTF-8"`, grant, 200},
		{"a charset twice", "application/x-www-form-urlencoded; charset=utf-8; charset=utf-8", grant, 200},
		{"a parameter without a value", "application/x-www-form-urlencoded; charset", grant, 200},
		{"a semicolon at the end", "application/x-www-form-urlencoded;", grant, 200},
		{"capitals", "APPLICATION/X-WWW-FORM-URLENCODED", grant, 200},
		{"a byte order mark", "application/x-www-form-urlencoded", "\ufeff" + grant, 200},
		{"a line end behind the body", "application/x-www-form-urlencoded", grant + "\r\n", 200},
		{"bytes of that other charset", "application/x-www-form-urlencoded; charset=ISO-8859-1", grant + "&username=%E9", 400},
		{"UTF-16", "application/x-www-form-urlencoded; charset=utf-16", "\xff\xfeg\x00r\x00a\x00", 400},
		{"two types", "application/x-www-form-urlencoded, text/plain", grant, 400},
		{"another type", "text/plain", grant, 400},
	} {
		if a := s.Call(t, "POST", "/token").Web().Set("Content-Type", row.contentType).WithBody(row.body).Do(); a.Status != row.status {
			t.Errorf("%s: got %d %s, want %d", row.name, a.Status, a.Raw, row.status)
		}
	}
}

func TestLenientBasic(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	plain := base64.RawStdEncoding.EncodeToString([]byte("web:web-secret")) // would end with one =
	sum := sha256.Sum256([]byte("???>>>"))
	s.SetClient(t, servertest.Other, func(c *store.Client) { c.Secrets = []store.Secret{{Hash: sum[:]}} })
	for _, row := range []struct {
		name, header string
		status       int
	}{
		{"no padding", "Basic " + plain, 200},
		{"padding", "Basic " + plain + "=", 200},
		{"spaces around", "Basic   " + plain + "=  ", 200},
		{"a tab", "basic\t" + plain, 200},
		{"the URL alphabet", "Basic " + base64.RawURLEncoding.EncodeToString([]byte("other:???>>>")), 200},
		{"too much padding", "Basic " + plain + "==", 401},
		{"a space inside", "Basic " + plain[:8] + " " + plain[8:], 401},
		{"bits left over", "Basic " + plain[:len(plain)-1] + "R", 401},
		{"another scheme", "Bearer " + plain, 401},
		{"no scheme", plain, 401},
	} {
		if a := s.Form(t, "/token", "grant_type=client_credentials").Set("Authorization", row.header).Do(); a.Status != row.status {
			t.Errorf("%s: got %d %s, want %d", row.name, a.Status, a.Raw, row.status)
		}
	}
	empty := s.Form(t, "/token", "grant_type=client_credentials", "client_id=web", "client_secret=web-secret").Set("Authorization", "")
	empty.Wants(200, "")
}

func TestSpacesInScopes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for scope, want := range map[string]string{
		"profile ": "profile", " profile": "profile", "profile  orders:read": "profile orders:read", "  ": "profile orders:read orders:write",
		"profile\torders:read": "", "profile\u00a0": "", "profile,orders:read": "",
	} {
		a := s.Form(t, "/token", "grant_type=client_credentials", "scope="+scope).Web().Do()
		if want == "" && a.Str("error") != "invalid_scope" || want != "" && a.Str("scope") != want {
			t.Errorf("scope %q: got %s, want %q", scope, a.Raw, want)
		}
		session := s.Login(t)
		if a := s.Refresh(t, session.Str("refresh_token"), "scope="+scope).Do(); want != "" && a.Str("scope") != want {
			t.Errorf("scope %q of a refresh: got %s, want %q", scope, a.Raw, want)
		}
	}
}

// The scope that is refused is named, in the answer as far as it is short, and in the log.
func TestRefusedScopesAreNamed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	long := strings.Repeat("x", 101)
	for _, row := range []struct{ scope, description, log string }{
		{"profile orders:admin other", "may not have the scope orders:admin:", `the scope \"orders:admin\" is not among these: profile orders:read orders:write`},
		{"openid profile", "the scope openid; openid is for OpenID Connect", `the scope \"openid\"`},
		{"profile offline_access", "the scope offline_access; offline_access is not needed", `the scope \"offline_access\"`},
		{long, "may not have every scope", `the scope \"xxx`},
	} {
		s.Log.Drain()
		a := s.Form(t, "/token", "grant_type=client_credentials", "scope="+row.scope).Web().Wants(400, "invalid_scope")
		if d := a.Str("error_description"); !strings.Contains(d, row.description) || strings.Contains(d, long) || !legal(d) {
			t.Errorf("scope %.50s: got %s", row.scope, d)
		}
		if log := s.Log.Drain(); !strings.Contains(log, row.log) || strings.Contains(log, long) {
			t.Errorf("scope %.50s: got log\n%s", row.scope, log)
		}
	}
	for _, secret := range []string{"signet_cs_c2VjcmV0", "signet_rt_c2VjcmV0", "orders:signet_cs_c2VjcmV0", "eyJhbGciOiJFUzI1NiJ9.c2VjcmV0.c2VjcmV0"} {
		s.Log.Drain()
		a := s.Form(t, "/token", "grant_type=client_credentials", "scope=profile "+secret).Web().Wants(400, "invalid_scope")
		if log := s.Log.Drain(); !strings.Contains(a.Str("error_description"), "looks like a token or a client secret") || strings.Contains(a.Raw+log, "c2VjcmV0") {
			t.Errorf("%s as a scope: got %s and log\n%s", secret, a.Raw, log)
		}
	}
	login := s.Login(t, "scope=profile")
	if a := s.Refresh(t, login.Str("refresh_token"), "scope=profile orders:read").Wants(400, "invalid_scope"); !strings.Contains(a.Str("error_description"), "scope orders:read:") {
		t.Errorf("refresh: got %s", a.Raw)
	}
}

// Other servers call resource audience. That it is ignored stands in the log once for each client.
func TestIgnoredAudienceIsLogged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for range 2 {
		s.Form(t, "/token", "grant_type=client_credentials", "audience=https://canary.example").Web().Wants(200, "")
	}
	log := s.Log.Drain()
	if n := strings.Count(log, "sends the parameter audience"); n != 1 || strings.Contains(log, "canary") || !strings.Contains(log, `"client_id":"web"`) {
		t.Errorf("got %d lines: %s", n, log)
	}
}

// OpenID Connect Core §5.3.1: POST as GET. A token in the body is never looked at.
func TestUserinfoByPost(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	token := s.Login(t).Str("access_token")
	post := func() *servertest.Request { return s.Call(t, "POST", "/userinfo") }
	for _, r := range []*servertest.Request{post(), post().Raw("access_token=x"), post().Raw(strings.Repeat("a", 64<<10)), post().WithBody("{}").Set("Content-Type", "application/json")} {
		if a := r.Bearer(token).Wants(200, ""); a.Str("sub") != s.UserID.String() {
			t.Errorf("got %s", a.Raw)
		}
	}
	post().Raw("access_token="+token).Wants(401, "invalid_request")
	post().Raw(strings.Repeat("a", 64<<10+1)).Bearer(token).Wants(413, "invalid_request")
}

func TestScopesInMetadata(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, path := range []string{"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"} {
		if a := s.Call(t, "GET", path).Wants(200, ""); !strings.Contains(a.Raw, `"scopes_supported":["openid","profile","email","address","phone"]`) {
			t.Errorf("%s: got %s", path, a.Raw)
		}
	}
}

// While the server is on its way out, every answer closes its connection.
func TestDrainingClosesConnections(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.Drain()
	for _, r := range []*servertest.Request{s.Form(t, "/token", "grant_type=client_credentials").Web(), s.Call(t, "GET", "/.well-known/jwks.json"),
		s.Call(t, "GET", "/readyz"), s.Call(t, "GET", "/nothing"), s.Form(t, "/token"), s.Call(t, "OPTIONS", "/token")} {
		if a := r.Do(); !a.Closed {
			t.Errorf("%s %s: got %d on a connection that stays", r.Method, r.Path, a.Status)
		}
	}
}
