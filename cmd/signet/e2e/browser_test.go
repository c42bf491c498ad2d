package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// startPage serves an empty page from an origin of its own.
func startPage(t testing.TB) (origin string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>an app</title>")
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// pageAnswer is what a script in a page can read of an answer.
type pageAnswer struct {
	Failed     string // the exception where it can read nothing
	Type       string // cors, opaque, …
	Status     int
	Body       map[string]any
	RequestID  string
	RetryAfter string
	Challenge  string
}

// fetchScript has a page fetch, and tell what its script could read.
const fetchScript = `(async (url, options) => {
	try {
		const answer = await fetch(url, options)
		const text = await answer.text()
		const header = name => answer.headers.get(name) ?? ""
		return {type: answer.type, status: answer.status, body: text.startsWith("{") ? JSON.parse(text) : null,
			requestID: header("X-Request-Id"), retryAfter: header("Retry-After"), challenge: header("WWW-Authenticate")}
	} catch (error) {
		return {failed: String(error)}
	}
})(%s, %s)`

// fetchOptions are those of the browser's own fetch.
type fetchOptions struct {
	Method      string            `json:"method,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"`
	Body        string            `json:"body,omitempty"`
	Mode        string            `json:"mode,omitempty"`
	Credentials string            `json:"credentials,omitempty"`
}

// posting is a form, with the headers that a page has reason to send.
func posting(form url.Values) fetchOptions {
	return fetchOptions{Method: "POST", Body: form.Encode(), Headers: map[string]string{
		"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "XMLHttpRequest"}}
}

func fetchWith(t testing.TB, address string, options fetchOptions) string {
	t.Helper()
	where, err := json.Marshal(address)
	if err != nil {
		t.Fatal(err)
	}
	how, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(fetchScript, where, how)
}

func (p *tab) fetch(address string, options fetchOptions) (a pageAnswer) {
	p.t.Helper()
	p.eval(fetchWith(p.t, address, options), &a)
	return a
}

// fetchAsNobody fetches from a sandboxed frame, whose origin is "null".
func (p *tab) fetchAsNobody(address string, options fetchOptions) (a pageAnswer) {
	p.t.Helper()
	frame, err := json.Marshal("<script>" + fetchWith(p.t, address, options) + ".then(a => parent.postMessage({...a, origin: self.origin}, '*'))</script>")
	if err != nil {
		p.t.Fatal(err)
	}
	var answer struct {
		pageAnswer
		Origin string
	}
	p.eval(fmt.Sprintf(`new Promise(done => {
		addEventListener("message", event => done(event.data), {once: true})
		const frame = document.createElement("iframe")
		frame.sandbox = "allow-scripts"
		frame.srcdoc = %s
		document.body.append(frame)
	})`, frame), &answer)
	if answer.Origin != "null" {
		p.t.Fatalf("the frame's origin is %q", answer.Origin)
	}
	return answer.pageAnswer
}

func (a pageAnswer) wants(t *testing.T, what string, status int, code string) pageAnswer {
	t.Helper()
	got, _ := a.Body["error"].(string)
	if a.Failed != "" || a.Status != status || got != code || a.RequestID == "" {
		t.Errorf("%s: got %+v, want %d %s and an X-Request-Id", what, a, status, code)
	}
	if code != "" && a.Body["error_description"] == "" {
		t.Errorf("%s: got no error_description in %v", what, a.Body)
	}
	return a
}

func (a pageAnswer) wantsNothing(t *testing.T, what string) {
	t.Helper()
	if a.Failed == "" {
		t.Errorf("%s: the script could read %+v", what, a)
	}
}

func (a pageAnswer) str(name string) string {
	s, _ := a.Body[name].(string)
	return s
}

// A page whose origin is registered can do all that an app does, and read why something was refused.
func TestPageOfARegisteredOrigin(t *testing.T) {
	t.Setenv("SIGNET_THROTTLE_PER_ACCOUNT", "5")
	d, app, foreign := startPages(t)
	form := func(path string, params url.Values) pageAnswer { return app.fetch(d.Issuer+path, posting(params)) }
	login := url.Values{"grant_type": {"password"}, "client_id": {d.PublicClient}, "username": {d.Username}, "password": {d.Password}}
	first := form("/token", login).wants(t, "login", 200, "")
	refresh := url.Values{"grant_type": {"refresh_token"}, "client_id": {d.PublicClient}, "refresh_token": {first.str("refresh_token")}}
	second := form("/token", refresh).wants(t, "refresh", 200, "")
	bearer := fetchOptions{Headers: map[string]string{"Authorization": "Bearer " + second.str("access_token")}}
	if me := app.fetch(d.Issuer+"/userinfo", bearer).wants(t, "userinfo", 200, ""); me.str("username") != d.Username {
		t.Errorf("userinfo: got %v", me.Body)
	}
	foreign.fetch(d.Issuer+"/userinfo", bearer).wantsNothing(t, "userinfo, with the token, from a foreign page")
	form("/revoke", url.Values{"client_id": {d.PublicClient}, "token": {second.str("refresh_token")}}).wants(t, "revoke", 200, "")

	refresh.Set("refresh_token", second.str("refresh_token"))
	form("/token", refresh).wants(t, "refresh of what was revoked", 400, "invalid_grant")
	if a := app.fetch(d.Issuer+"/userinfo", bearer).wants(t, "userinfo of what was revoked", 401, "invalid_token"); !strings.Contains(a.Challenge, "Bearer") {
		t.Errorf("userinfo: got challenge %q", a.Challenge)
	}
	form("/token", url.Values{"client_id": {"nobody"}}).wants(t, "unknown client", 401, "invalid_client")
	app.fetch(d.Issuer+"/token", fetchOptions{}).wants(t, "GET", 405, "invalid_request")
	form("/introspect", url.Values{"client_id": {d.ClientID}, "client_secret": {d.ClientSecret}, "token": {"x"}}).wantsNothing(t, "introspection")
	traced := posting(login)
	traced.Headers["Sentry-Trace"] = "x"
	app.fetch(d.Issuer+"/token", traced).wants(t, "a header that the page's tracing library adds", 200, "")
	strange := posting(login)
	strange.Headers["X-"+strings.Repeat("strange", 20)] = "x"
	app.fetch(d.Issuer+"/token", strange).wantsNothing(t, "a header that is not allowed")
	put := posting(login)
	put.Method = "PUT"
	app.fetch(d.Issuer+"/token", put).wantsNothing(t, "a method that is not allowed")
	withCookies := posting(login)
	withCookies.Credentials = "include"
	app.fetch(d.Issuer+"/token", withCookies).wantsNothing(t, "with credentials of the browser's own")

	for i := range 6 {
		login.Set("password", fmt.Sprintf("wrong %d", i))
		form("/token", login)
	}
	login.Set("password", d.Password)
	if a := form("/token", login).wants(t, "too many failures", 429, "slow_down"); a.RetryAfter == "" {
		t.Error("429: the script can read no Retry-After")
	}
}

// startPages runs a server, and two pages: one of an origin that the public client is registered
// with, and one of another.
func startPages(t *testing.T) (d demo, app, foreign *tab) {
	t.Helper()
	browser := startChromium(t)
	p := startDev(t, t.TempDir())
	mine := startPage(t)
	p.admin("", "client", "update", p.demo.PublicClient, "--origin", mine)
	return p.demo, browser.open(t, mine), browser.open(t, startPage(t))
}

// A page of another origin can send what any program can send, and read nothing of what comes back:
// not even that its user is signed in. The key set and the metadata are for everybody.
func TestPageOfAForeignOrigin(t *testing.T) {
	d, app, foreign := startPages(t)
	login := posting(url.Values{"grant_type": {"password"}, "client_id": {d.PublicClient}, "username": {d.Username}, "password": {d.Password}})
	simple := login // needs no preflight
	simple.Headers = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	secret := posting(d.login()) // of a client that the page's origin is not registered with either
	for what, options := range map[string]fetchOptions{"login": login, "login without a preflight": simple, "login with a secret": secret} {
		foreign.fetch(d.Issuer+"/token", options).wantsNothing(t, what)
		app.fetchAsNobody(d.Issuer+"/token", options).wantsNothing(t, what+" from a sandbox")
	}
	app.fetch(d.Issuer+"/token", simple).wants(t, "the same from the app's page", 200, "")
	app.fetch(d.Issuer+"/token", secret).wantsNothing(t, "another client's login from the app's page")
	simple.Mode = "no-cors"
	if a := foreign.fetch(d.Issuer+"/token", simple); a.Type != "opaque" || a.Status != 0 || a.Body != nil || a.RequestID != "" {
		t.Errorf("without CORS: the script could read %+v", a)
	}
	for what, options := range map[string]fetchOptions{"wrong password": posting(url.Values{"grant_type": {"password"}, "username": {d.Username}, "password": {"x"}}), "GET": {}} {
		foreign.fetch(d.Issuer+"/token", options).wantsNothing(t, what)
	}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"} {
		for name, read := range map[string]func(string, fetchOptions) pageAnswer{"app": app.fetch, "foreign page": foreign.fetch, "sandbox": app.fetchAsNobody} {
			if a := read(d.Issuer+path, fetchOptions{}); a.Status != 200 || a.Body["keys"] == nil && a.Body["issuer"] != d.Issuer {
				t.Errorf("%s from the %s: got %+v", path, name, a)
			}
		}
	}
}
