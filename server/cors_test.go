package server_test

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// lookAlikes are origins that somebody could hope to pass for SPAOrigin with.
var lookAlikes = []string{
	"https://evil.example", "null", "*", "",
	servertest.SPAOrigin + ".evil.example", servertest.SPAOrigin + ":443", servertest.SPAOrigin + ":8443", servertest.SPAOrigin + "/",
	servertest.SPAOrigin + " https://evil.example", servertest.SPAOrigin + ",https://evil.example",
	strings.Replace(servertest.SPAOrigin, "https", "http", 1), strings.ToUpper(servertest.SPAOrigin),
	"https://x.app.example.com", "https://appxexample.com", "https://me@app.example.com", "https://app.example.com.",
}

// The rules that no answer of an endpoint with tokens may break, to whomever it is given.
func checkCORS(t *testing.T, a servertest.Answer, origin string) {
	t.Helper()
	if got := a.Header.Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("Access-Control-Allow-Origin: got %q, want %q", got, origin)
	}
	if vary := a.Header.Values("Vary"); len(vary) != 1 || !slices.Contains(strings.Split(vary[0], ", "), "Origin") {
		t.Errorf("Vary: got %q, want Origin in it", vary)
	}
	for _, never := range []string{"Access-Control-Allow-Credentials", "Access-Control-Allow-Private-Network"} {
		if got, set := a.Header[never]; set {
			t.Errorf("%s: got %q, want none", never, got)
		}
	}
}

// canRead checks that a script of the origin can read the servertest.Answer, and what it may need of its headers.
func canRead(t *testing.T, a servertest.Answer, origin string) {
	t.Helper()
	checkCORS(t, a, origin)
	for _, name := range []string{"x-request-id", "retry-after", "www-authenticate"} {
		if !slices.Contains(strings.Split(a.Header.Get("Access-Control-Expose-Headers"), ", "), name) {
			t.Errorf("Access-Control-Expose-Headers: got %q, want %s in it", a.Header.Get("Access-Control-Expose-Headers"), name)
		}
	}
}

func cannotRead(t *testing.T, a servertest.Answer) {
	t.Helper()
	checkCORS(t, a, "")
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("got %s: %q", name, a.Header.Get(name))
		}
	}
}

// spaLogin logs in as the public client does.
func spaLogin(t *testing.T, s *servertest.Server, more ...string) *servertest.Request {
	return s.Form(t, "/token", append([]string{"grant_type=password", "client_id=spa", "username=ada", "password=" + servertest.Password}, more...)...)
}

// The answers that a page gets, good and bad, are its own to read, and nobody else's. Nothing
// else about them depends on the origin: CORS is not authorization (row 32).
func TestCORSOfEveryAnswer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	tokens := spaLogin(t, s).Wants(http.StatusOK, "")
	access := "Bearer " + tokens.Str("access_token")
	refreshToken := tokens.Str("refresh_token")
	for _, c := range []struct {
		name   string
		req    func() *servertest.Request
		status int
		code   string
	}{
		{"login", func() *servertest.Request { return spaLogin(t, s) }, 200, ""},
		{"refresh", func() *servertest.Request {
			return s.Form(t, "/token", "grant_type=refresh_token", "client_id=spa", "refresh_token="+refreshToken)
		}, 200, ""},
		{"userinfo", func() *servertest.Request { return s.Call(t, "GET", "/userinfo").Set("Authorization", access) }, 200, ""},
		{"userinfo, HEAD", func() *servertest.Request { return s.Call(t, "HEAD", "/userinfo").Set("Authorization", access) }, 200, ""},
		{"revoke", func() *servertest.Request { return s.Form(t, "/revoke", "client_id=spa", "token=unknown") }, 200, ""},

		{"wrong password", func() *servertest.Request {
			return s.Form(t, "/token", "grant_type=password", "client_id=spa", "username=ada", "password=x")
		}, 400, "invalid_grant"},
		{"unknown scope", func() *servertest.Request { return spaLogin(t, s, "scope=unknown") }, 400, "invalid_scope"},
		{"unknown resource", func() *servertest.Request { return spaLogin(t, s, "resource=unknown") }, 400, "invalid_target"},
		{"another grant", func() *servertest.Request {
			return s.Form(t, "/token", "grant_type=client_credentials", "client_id=spa")
		}, 400, "unauthorized_client"},
		{"JSON", func() *servertest.Request { return s.Call(t, "POST", "/token").Set("Content-Type", "application/json") }, 400, "invalid_request"},
		{"unknown client", func() *servertest.Request { return s.Form(t, "/token", "client_id=nobody") }, 401, "invalid_client"},
		{"no client", func() *servertest.Request { return s.Form(t, "/revoke", "token=x") }, 401, "invalid_client"},
		{"no token", func() *servertest.Request { return s.Call(t, "GET", "/userinfo") }, 401, "invalid_request"},
		{"bad token", func() *servertest.Request { return s.Call(t, "GET", "/userinfo").Set("Authorization", access+"x") }, 401, "invalid_token"},
		{"method", func() *servertest.Request { return s.Call(t, "GET", "/token") }, 405, "invalid_request"},
		{"method of userinfo", func() *servertest.Request { return s.Call(t, "DELETE", "/userinfo") }, 405, "invalid_request"},
		{"too large", func() *servertest.Request { return s.Form(t, "/token", "x="+strings.Repeat("a", 64<<10)) }, 413, "invalid_request"},
		{"encoding", func() *servertest.Request { return spaLogin(t, s).Set("Content-Encoding", "gzip") }, 415, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wants := func(r *servertest.Request) servertest.Answer {
				if r.Method == http.MethodHead {
					return r.Wants(c.status, "") // which has no body
				}
				return r.Wants(c.status, c.code)
			}
			canRead(t, wants(c.req().Set("Origin", servertest.SPAOrigin)), servertest.SPAOrigin)
			cannotRead(t, wants(c.req()))
			for _, origin := range lookAlikes[:5] { // TestPreflights has them all
				cannotRead(t, wants(c.req().Set("Origin", origin)))
			}
			two := c.req()
			two.Header["Origin"] = []string{servertest.SPAOrigin, "https://evil.example"}
			cannotRead(t, wants(two))
		})
	}
}

// An origin belongs to a client: a page that is good for one cannot read the answers of another.
func TestCORSIsPerClient(t *testing.T) {
	t.Parallel()
	const otherOrigin = "https://other.example"
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Origins = []string{otherOrigin} })
	mine, other := spaLogin(t, s), s.Login(t)
	cannotRead(t, mine.Set("Origin", otherOrigin).Wants(http.StatusOK, ""))
	for _, c := range []struct {
		token   string
		mine    string
		foreign string
	}{
		{mine.Wants(http.StatusOK, "").Str("access_token"), servertest.SPAOrigin, otherOrigin},
		{other.Str("access_token"), otherOrigin, servertest.SPAOrigin},
	} {
		info := func(origin string) servertest.Answer {
			return s.Userinfo(t, c.token).Set("Origin", origin).Wants(http.StatusOK, "")
		}
		canRead(t, info(c.mine), c.mine)
		cannotRead(t, info(c.foreign))
	}
	s.SetClient(t, servertest.SPA, func(c *store.Client) { c.Origins = nil })
	cannotRead(t, spaLogin(t, s).Set("Origin", servertest.SPAOrigin).Wants(http.StatusOK, ""))
	cannotRead(t, s.Call(t, "OPTIONS", "/token").Set("Origin", servertest.SPAOrigin).Wants(http.StatusNoContent, ""))
}

// Rows 33 and 34: what a browser asks before it sends anything.
func TestPreflights(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	ask := func(path, origin, method, headers string) *servertest.Request {
		r := s.Call(t, "OPTIONS", path).Set("Access-Control-Request-Method", method).Set("Access-Control-Request-Headers", headers).
			Set("Access-Control-Request-Private-Network", "true")
		if origin != "" {
			r.Set("Origin", origin)
		}
		return r
	}
	for path, methods := range map[string]string{"/token": "POST", "/revoke": "POST", "/userinfo": "GET, HEAD, POST"} {
		method, _, _ := strings.Cut(methods, ",")
		a := ask(path, servertest.SPAOrigin, method, "authorization,x-requested-with").Wants(http.StatusNoContent, "")
		checkCORS(t, a, servertest.SPAOrigin)
		checkPreflight(t, a, methods, "")
		for _, origin := range lookAlikes {
			cannotRead(t, ask(path, origin, method, "authorization").Wants(http.StatusNoContent, ""))
		}
		two := ask(path, "", method, "")
		two.Header["Origin"] = []string{"https://evil.example", servertest.SPAOrigin}
		cannotRead(t, two.Wants(http.StatusNoContent, ""))
		// Tracing libraries add headers of their own. What is no field name is left out, and so is what
		// goes beyond the bounds.
		traced := ask(path, servertest.SPAOrigin, "DELETE", "sentry-trace, baggage,TraceParent,authorization,,x y,\"q\","+strings.Repeat("x", 101)).Wants(http.StatusNoContent, "")
		checkPreflight(t, traced, methods, ", sentry-trace, baggage, traceparent")
		var many strings.Builder
		for i := range 60 {
			many.WriteString("x-" + strconv.Itoa(100+i) + ",")
		}
		bounded := ask(path, servertest.SPAOrigin, method, many.String()).Wants(http.StatusNoContent, "")
		if got := strings.Count(bounded.Header.Get("Access-Control-Allow-Headers"), "x-1"); got != 50 {
			t.Errorf("60 headers asked for: got %d, want 50", got)
		}
		if a := ask(path, "https://evil.example", method, "sentry-trace").Wants(http.StatusNoContent, ""); a.Header.Get("Access-Control-Allow-Headers") != "" {
			t.Error("a page that no client lists was answered which headers it may send")
		}
	}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		for _, origin := range []string{"https://anyone.example", "null"} {
			a := ask(path, origin, "GET", "").Wants(http.StatusNoContent, "")
			checkCORS(t, a, "*")
			checkPreflight(t, a, "GET, HEAD", "")
			document := s.Call(t, "GET", path).Set("Origin", origin).Wants(http.StatusOK, "")
			if got := document.Header.Get("Access-Control-Allow-Origin"); got != "*" {
				t.Errorf("%s for %s: got Access-Control-Allow-Origin %q", path, origin, got)
			}
		}
	}
}

func checkPreflight(t *testing.T, a servertest.Answer, methods, more string) {
	t.Helper()
	if got := a.Header.Get("Access-Control-Allow-Methods"); got != methods {
		t.Errorf("Access-Control-Allow-Methods: got %q, want %q", got, methods)
	}
	if got, want := a.Header.Get("Access-Control-Allow-Headers"), "authorization, content-type, x-requested-with, dpop"+more; got != want {
		t.Errorf("Access-Control-Allow-Headers: got %q, want %q", got, want)
	}
	if age, err := strconv.Atoi(a.Header.Get("Access-Control-Max-Age")); err != nil || age < 1 || age > 600 {
		t.Errorf("Access-Control-Max-Age: got %q, want 600 at most", a.Header.Get("Access-Control-Max-Age"))
	}
	if a.Raw != "" {
		t.Errorf("a preflight with a body: %s", a.Raw)
	}
}

// A developer whose page is refused sees no more than a failure in the browser; the log names the page.
func TestForeignPagesAreLogged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	for _, origin := range []string{"http://localhost:4200", "https://x.example/" + strings.Repeat("x", 4000)} {
		s.Call(t, "OPTIONS", "/token").Set("Origin", origin).Set("Access-Control-Request-Method", "POST").Wants(http.StatusNoContent, "")
	}
	log := s.Log.Drain()
	if !strings.Contains(log, `"outcome":"foreign_origin"`) || !strings.Contains(log, `"origin":"http://localhost:4200"`) {
		t.Errorf("got log\n%s", log)
	}
	if strings.Contains(log, strings.Repeat("x", 200)) {
		t.Error("the log holds as much as a stranger likes")
	}
	s.Call(t, "OPTIONS", "/token").Wants(http.StatusNoContent, "")
	if log := s.Log.String(); strings.Contains(log, "foreign_origin") {
		t.Errorf("no page has asked: got log\n%s", log)
	}
}

// The pages of hybrid apps have origins of their own schemes, which are compared byte for byte.
func TestOriginsOfApps(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	admin.CallJSON(t, "PATCH", "/v1/clients/spa", `{"origins":["ionic://localhost","app://Notes"]}`).Wants(200, "")
	for _, origin := range []string{"ionic://localhost", "app://Notes"} {
		canRead(t, spaLogin(t, s).Set("Origin", origin).Set("Sec-Fetch-Site", "cross-site").Wants(200, ""), origin)
		a := s.Call(t, "OPTIONS", "/token").Set("Origin", origin).Set("Access-Control-Request-Method", "POST").Wants(204, "")
		checkPreflight(t, a, "POST", "")
	}
	for _, origin := range []string{"capacitor://localhost", "IONIC://localhost", "ionic://localhost:80", "app://notes", "ionic://localhost/"} {
		cannotRead(t, spaLogin(t, s).Set("Origin", origin).Wants(200, ""))
		spaLogin(t, s).Set("Origin", origin).Set("Sec-Fetch-Site", "cross-site").Wants(403, "invalid_request")
	}
}

// What is not for pages has no CORS, for no origin: introspection, which takes a secret, and what is
// not there at all.
func TestNoCORS(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Origins = []string{servertest.SPAOrigin} })
	for _, a := range []servertest.Answer{
		s.Form(t, "/introspect", "token=x").Web().Set("Origin", servertest.SPAOrigin).Wants(http.StatusOK, ""),
		s.Form(t, "/introspect", "token=x").Set("Origin", servertest.SPAOrigin).Wants(http.StatusUnauthorized, "invalid_client"),
		s.Call(t, "OPTIONS", "/introspect").Set("Origin", servertest.SPAOrigin).Set("Access-Control-Request-Method", "POST").Wants(http.StatusMethodNotAllowed, "invalid_request"),
		s.Call(t, "OPTIONS", "/nothing").Set("Origin", servertest.SPAOrigin).Set("Access-Control-Request-Method", "POST").Wants(http.StatusNotFound, "not_found"),
		s.Call(t, "GET", "/readyz").Set("Origin", servertest.SPAOrigin).Wants(http.StatusOK, ""),
	} {
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("got %s: %q", name, a.Header.Get(name))
			}
		}
	}
}

// A page that is told to wait can read for how long.
func TestCORSWhenThrottled(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{PerAccount: 1} })
	for i := range 3 {
		s.Form(t, "/token", "grant_type=password", "client_id=spa", "username=ada", "password="+strconv.Itoa(i)).Do()
	}
	a := spaLogin(t, s).Set("Origin", servertest.SPAOrigin).Wants(http.StatusTooManyRequests, "slow_down")
	canRead(t, a, servertest.SPAOrigin)
	if a.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
}

// clientless is a store that cannot say which clients there are while it is down.
type clientless struct {
	store.Store
	down atomic.Bool
}

func (c *clientless) trouble() error {
	if c.down.Load() {
		return store.ErrUnavailable
	}
	return nil
}

func (c *clientless) ClientsVersion(ctx context.Context) (string, error) {
	if err := c.trouble(); err != nil {
		return "", err
	}
	return c.Store.ClientsVersion(ctx)
}

func (c *clientless) Client(ctx context.Context, id string) (store.Client, error) {
	if err := c.trouble(); err != nil {
		return store.Client{}, err
	}
	return c.Store.Client(ctx, id)
}

func (c *clientless) ListClients(ctx context.Context, after string, limit int) ([]store.Client, error) {
	if err := c.trouble(); err != nil {
		return nil, err
	}
	return c.Store.ListClients(ctx, after, limit)
}

// While the store is away, pages that were registered when it was last seen can read the 503 and
// send the same again; others cannot, and after a start without a store nobody can.
func TestCORSWhileTheStoreIsAway(t *testing.T) {
	t.Parallel()
	for _, seen := range []bool{true, false} {
		t.Run("seen before: "+strconv.FormatBool(seen), func(t *testing.T) {
			away := &clientless{}
			s := servertest.New(t, func(cfg *server.Config) { away.Store, cfg.Store = cfg.Store, away })
			preflight := func() *servertest.Request {
				return s.Call(t, "OPTIONS", "/token").Set("Origin", servertest.SPAOrigin).Set("Access-Control-Request-Method", "POST")
			}
			if seen {
				checkCORS(t, preflight().Wants(http.StatusNoContent, ""), servertest.SPAOrigin)
			}
			away.down.Store(true)
			s.Clock.Add(time.Minute) // longer than a client is cached
			a := spaLogin(t, s).Set("Origin", servertest.SPAOrigin).Wants(http.StatusServiceUnavailable, "temporarily_unavailable")
			if !seen {
				cannotRead(t, a)
				cannotRead(t, preflight().Wants(http.StatusNoContent, ""))
				return
			}
			canRead(t, a, servertest.SPAOrigin)
			checkCORS(t, preflight().Wants(http.StatusNoContent, ""), servertest.SPAOrigin)
			for _, origin := range lookAlikes {
				cannotRead(t, spaLogin(t, s).Set("Origin", origin).Wants(http.StatusServiceUnavailable, "temporarily_unavailable"))
			}
			away.down.Store(false)
			canRead(t, spaLogin(t, s).Set("Origin", servertest.SPAOrigin).Wants(http.StatusOK, ""), servertest.SPAOrigin)
		})
	}
}
