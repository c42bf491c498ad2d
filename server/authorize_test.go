package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/authorize"
	"signet/server/servertest"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/server/token"
	"signet/store"
)

const (
	callback      = "https://app.example.com/callback"
	otherCallback = "https://other.example.com/cb?tenant=1"
	verifier      = "a-verifier-of-forty-three-characters-or-more-0123"
)

var challenge = func() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}()

// tab is a browser as far as an authorization server sees one: it keeps cookies, and sends forms of pages.
type tab struct {
	*servertest.Server
	cookies map[string]string
	origin  string // of the page whose form is sent
}

func newTab(s *servertest.Server) *tab { return &tab{s, map[string]string{}, s.URL} }

// codeServer is a server whose clients web, spa and other may use codes.
func codeServer(t testing.TB, change func(*server.Config)) *servertest.Server {
	t.Helper()
	s := servertest.New(t, change)
	for id, uri := range map[string]string{servertest.Web: callback, servertest.SPA: "http://127.0.0.1/cb", servertest.Other: otherCallback} {
		s.SetClient(t, id, func(c *store.Client) {
			c.Grants, c.RedirectURIs = append(c.Grants, syntax.GrantAuthorizationCode), []string{uri}
		})
	}
	return s
}

// query is that of a good request of web, with changes: NAME=VALUE sets a parameter, NAME alone removes it.
func query(changes ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {servertest.Web}, "redirect_uri": {callback}, "state": {"s t&a=te"}, "nonce": {"n-1"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}, "scope": {"profile"}}
	for _, change := range changes {
		if name, value, ok := strings.Cut(change, "="); ok {
			q.Set(name, value)
		} else {
			q.Del(name)
		}
	}
	return q
}

var ofOther = []string{"client_id=other", "redirect_uri=" + otherCallback}

func (b *tab) do(r *servertest.Request) servertest.Answer {
	r.T.Helper()
	var pairs []string
	for name, value := range b.cookies {
		pairs = append(pairs, name+"="+value)
	}
	if len(pairs) > 0 {
		r.Set("Cookie", strings.Join(pairs, "; "))
	}
	a := r.Do()
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return a
}

// open goes to /authorize.
func (b *tab) open(t testing.TB, changes ...string) servertest.Answer {
	t.Helper()
	return b.do(b.Call(t, http.MethodGet, authorize.Path+"?"+query(changes...).Encode()))
}

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// send sends the form of a page.
func (b *tab) send(t testing.TB, page servertest.Answer, username, password string) servertest.Answer {
	t.Helper()
	m := hidden.FindStringSubmatch(page.Raw)
	if m == nil {
		t.Fatalf("no form: %d %v\n%s", page.Status, page.Header, page.Raw)
	}
	r := b.Form(t, authorize.SignInPath, "request="+html.UnescapeString(m[1]), "username="+username, "password="+password)
	if b.origin != "" {
		r.Set("Origin", b.origin)
	}
	return b.do(r)
}

// signIn signs ada in with the browser.
func (b *tab) signIn(t testing.TB, changes ...string) servertest.Answer {
	t.Helper()
	return b.send(t, b.open(t, changes...), servertest.User, servertest.Password)
}

// sentTo checks that the browser was sent to a redirect URI, and returns what the app gets.
func sentTo(t testing.TB, a servertest.Answer, uri string) url.Values {
	t.Helper()
	location := a.Header.Get("Location")
	base, _, _ := strings.Cut(uri, "?")
	u, err := url.Parse(location)
	if a.Status != http.StatusSeeOther || err != nil || !strings.HasPrefix(location, uri) || !strings.HasPrefix(location, base+"?") {
		t.Fatalf("got %d to %q, want a redirect to %s\n%s", a.Status, location, uri, a.Raw)
	}
	if a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers: got %v", a.Header)
	}
	return u.Query()
}

// opened opens a code of the client.
func opened(t testing.TB, answer url.Values, client string) token.Code {
	t.Helper()
	sealer, err := token.NewSealer([][32]byte{{1}}, func() int { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	c, err := sealer.OpenCode(answer.Get("code"), client)
	if err != nil {
		t.Fatalf("code: %v in %v", err, answer)
	}
	return c
}

// isPage checks that the answer is a page for people without a redirect.
func isPage(t testing.TB, a servertest.Answer, status int, part string) {
	t.Helper()
	if a.Status != status || a.Header.Get("Location") != "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.Raw, part) ||
		a.Header.Get("Cache-Control") != "no-store" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Errorf("got %d %v, want a page of status %d with %q\n%s", a.Status, a.Header, status, part, a.Raw)
	}
}

const wrong = "The username or the password is not correct."

func TestOneSignIn(t *testing.T) {
	s := codeServer(t, nil)
	b := newTab(s)
	isPage(t, b.open(t, "login_hint=ada"), 200, `value="ada"`)
	got := sentTo(t, b.signIn(t), callback)
	if got.Get("state") != "s t&a=te" || got.Get("iss") != s.URL {
		t.Errorf("got %v", got)
	}
	c := opened(t, got, servertest.Web)
	if c.UserID != s.UserID || c.RedirectURI != callback || c.Challenge != challenge || c.Scope != "profile" || c.Nonce != "n-1" || len(c.Audience) != 0 ||
		c.ACR != "1" || !slices.Equal(c.AMR, []string{"pwd"}) || !c.AuthTime.Equal(s.Clock.Now()) || !c.Expires.Equal(s.Clock.Now().Add(time.Minute)) {
		t.Errorf("got %+v", c)
	}
	tokens := s.Form(t, "/token", "grant_type=authorization_code", "code="+got.Get("code"), "redirect_uri="+callback, "code_verifier="+verifier).Web().Wants(200, "")
	if !s.Active(t, tokens.Str("access_token")) {
		t.Error("the access token is not active")
	}
	s.Clock.Add(time.Minute)
	second := opened(t, sentTo(t, b.open(t, ofOther...), otherCallback+"&"), servertest.Other)
	if second.UserID != s.UserID || second.Browser != c.Browser || second.SessionID == c.SessionID || !second.AuthTime.Equal(c.AuthTime) {
		t.Errorf("the second app got %+v after %+v", second, c)
	}
	sessions, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	slices.SortFunc(sessions, func(a, b store.Session) int { return strings.Compare(a.ClientID, b.ClientID) })
	if err != nil || len(sessions) != 2 || sessions[0].ClientID != syntax.BrowserClient || sessions[0].ID != c.Browser || sessions[1].ID != c.SessionID ||
		sessions[1].Parent != c.Browser {
		t.Errorf("sessions: got %+v, %v", sessions, err)
	}
	for name, value := range b.cookies {
		if strings.Contains(value, c.Browser.String()) || strings.Contains(s.Log.String(), value) {
			t.Errorf("the cookie %s can be read, or is in the log", name)
		}
	}
}

// TestSignInAgain: the browser's session counts only while it lives, and not where the app wants more.
func TestSignInAgain(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*servertest.Server)
		more   string // of the second request
		form   bool   // the form is shown
	}{
		{"nothing happened", nil, "state=1", false},
		{"prompt=login", nil, "prompt=login", true},
		{"prompt=select_account", nil, "prompt=select_account", true},
		{"prompt=consent", nil, "prompt=consent", false},
		{"max_age is over", nil, "max_age=59", true},
		{"max_age is not over", nil, "max_age=60", false},
		{"max_age=0", nil, "max_age=0", true},
		{"prompt=none", nil, "prompt=none", false},
		{"the user is disabled", func(s *servertest.Server) { change(t, s, func(u *store.User) { u.Disabled = true }) }, "state=1", true},
		{"the user is signed out everywhere", func(s *servertest.Server) { change(t, s, func(u *store.User) { u.EndSessions() }) }, "state=1", true},
		{"the next app was signed out everywhere since", func(s *servertest.Server) {
			s.SetClient(t, servertest.Other, func(c *store.Client) { c.NotBefore = s.Clock.Now() })
		}, "state=1", true},
		{"everybody is signed out", func(s *servertest.Server) { s.SetClient(t, syntax.BrowserClient, (*store.Client).EndSessions) }, "state=1", true},
		{"the session is over", func(s *servertest.Server) { s.Move(t, 30*24*time.Hour) }, "state=1", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := codeServer(t, nil)
			b := newTab(s)
			sentTo(t, b.signIn(t), callback)
			s.Clock.Add(time.Minute)
			if c.change != nil {
				c.change(s)
			}
			a := b.open(t, append(slices.Clip(ofOther), c.more)...)
			if !c.form {
				opened(t, sentTo(t, a, otherCallback), servertest.Other)
				return
			}
			isPage(t, a, 200, "password")
		})
	}
}

func change(t testing.TB, s *servertest.Server, change func(*store.User)) {
	t.Helper()
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { change(u); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestReauthenticated: whoever signs in again in the same browser keeps its session, with what began from it, and gets a new
// auth_time. Without prompt the next app gets the new one too.
func TestReauthenticated(t *testing.T) {
	s := codeServer(t, nil)
	b := newTab(s)
	first := opened(t, sentTo(t, b.signIn(t), callback), servertest.Web)
	s.Clock.Add(time.Hour)
	page := b.open(t, "prompt=login")
	isPage(t, page, 200, "readonly")
	second := opened(t, sentTo(t, b.send(t, page, servertest.User, servertest.Password), callback), servertest.Web)
	third := opened(t, sentTo(t, b.open(t, "max_age=1"), callback), servertest.Web)
	if second.Browser != first.Browser || !second.AuthTime.Equal(first.AuthTime.Add(time.Hour)) || !third.AuthTime.Equal(second.AuthTime) {
		t.Errorf("got %+v, then %+v, then %+v", first, second, third)
	}
}

// TestPeopleErrors: while it is not certain where the app is, the browser stays here.
func TestPeopleErrors(t *testing.T) {
	s := codeServer(t, nil)
	s.SetClient(t, servertest.Service, func(c *store.Client) { c.Disabled, c.RedirectURIs = true, []string{callback} })
	for _, c := range []struct{ name, query string }{
		{"no client", query("client_id").Encode()},
		{"an unknown client", query("client_id=stranger").Encode()},
		{"the client of browsers", query("client_id=" + syntax.BrowserClient).Encode()},
		{"a disabled client", query("client_id=service").Encode()},
		{"two clients", query().Encode() + "&client_id=other"},
		{"no redirect URI", query("redirect_uri").Encode()},
		{"two redirect URIs", query().Encode() + "&redirect_uri=" + url.QueryEscape(callback)},
		{"another client's redirect URI", query("redirect_uri=" + otherCallback).Encode()},
		{"a request URI of nobody", query("request_uri=urn:ietf:params:oauth:request_uri:abc").Encode()},
		{"nothing", ""},
	} {
		t.Run(c.name, func(t *testing.T) { isPage(t, newTab(s).do(s.Call(t, "GET", "/authorize?"+c.query)), 400, "") })
	}
	for _, uri := range lookAlikeURIs {
		t.Run(uri, func(t *testing.T) { isPage(t, newTab(s).open(t, "redirect_uri="+uri), 400, "redirect_uri") })
	}
}

// lookAlikeURIs are redirect URIs that are nearly those of web.
var lookAlikeURIs = []string{
	"https://app.example.com/callback/", "https://app.example.com/callback/../evil", "https://app.example.com/Callback", "https://APP.example.com/callback",
	"https://app.example.com/callback#x", "https://app.example.com/callback?x=1", "https://app.example.com/callback%2f", "https://app.example.com//callback",
	"https://app.example.com.evil.example/callback", "https://app.example.com@evil.example/callback", "https://evil.example/callback", "https://x@app.example.com/callback",
	"https://app.example.com:443/callback", "http://app.example.com/callback", "https://app.example.com\\@evil.example/callback", "//app.example.com/callback",
	"javascript:alert(1)//https://app.example.com/callback", "https://app.example.com/callback\t", " https://app.example.com/callback", "https://app.example.com/callback\r\nX: y",
	"https://app.example.com", "data:text/html,x", "https://app.example.com/callback;x",
}

// FuzzRedirect: a browser is sent to a registered host only, whatever the redirect URI.
func FuzzRedirect(f *testing.F) {
	s := codeServer(f, nil)
	for _, uri := range append(slices.Clip(lookAlikeURIs), callback, "http://127.0.0.1:1/cb") {
		f.Add(uri, "state")
	}
	f.Fuzz(func(t *testing.T, uri, state string) {
		for _, client := range []string{servertest.Web, servertest.SPA} {
			a := newTab(s).open(t, "client_id="+client, "redirect_uri="+uri, "state="+state, "response_type=token")
			if a.Header.Get("Location") == "" {
				continue
			}
			u, err := url.Parse(a.Header.Get("Location"))
			if err != nil || u.User != nil || u.Scheme+"://"+u.Host+u.Path != callback && (u.Scheme != "http" || u.Hostname() != "127.0.0.1" || u.Path != "/cb") {
				t.Errorf("%q: sent to %s", uri, a.Header.Get("Location"))
			}
		}
	})
}

// TestAppErrors: everything else is for the app, with state and iss.
func TestAppErrors(t *testing.T) {
	s := codeServer(t, nil)
	s.SetClient(t, servertest.Service, func(c *store.Client) { c.RedirectURIs = []string{callback} })
	for _, c := range []struct {
		name, code string
		query      string
	}{
		{"no challenge", "invalid_request", query("code_challenge").Encode()},
		{"a plain challenge", "invalid_request", query("code_challenge_method=plain").Encode()},
		{"no method, which means plain", "invalid_request", query("code_challenge_method").Encode()},
		{"a short challenge", "invalid_request", query("code_challenge=abc").Encode()},
		{"a challenge in the wrong alphabet", "invalid_request", query("code_challenge=" + strings.Repeat("+", 43)).Encode()},
		{"no response type", "invalid_request", query("response_type").Encode()},
		{"response type token", "unsupported_response_type", query("response_type=token").Encode()},
		{"response type code id_token", "unsupported_response_type", query("response_type=code id_token").Encode()},
		{"response mode fragment", "invalid_request", query("response_mode=fragment").Encode()},
		{"a scope of others", "invalid_scope", query("scope=jobs").Encode()},
		{"a scope of the admin API", "invalid_scope", query("scope=signet:admin").Encode()},
		{"a resource of others", "invalid_target", query("resource=https://a.example.com").Encode()},
		{"a client without the grant", "unauthorized_client", query("client_id=service", "scope").Encode()},
		{"a request object", "request_not_supported", query("request=e30.e30.").Encode()},
		{"a request URI elsewhere", "request_uri_not_supported", query("request_uri=https://app.example.com/r").Encode()},
		{"prompt=none and more", "invalid_request", query("prompt=none login").Encode()},
		{"prompt=create", "invalid_request", query("prompt=create").Encode()},
		{"prompt=none", "login_required", query("prompt=none").Encode()},
		{"max_age is no number", "invalid_request", query("max_age=-1").Encode()},
		{"a long nonce", "invalid_request", query("nonce=" + strings.Repeat("n", 1001)).Encode()},
		{"scope repeats", "invalid_request", query().Encode() + "&scope=profile"},
		{"nonce is broken", "invalid_request", query("nonce").Encode() + "&nonce=%zz"},
		{"a semicolon", "invalid_request", query().Encode() + "&x=1;y=2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := sentTo(t, newTab(s).do(s.Call(t, "GET", "/authorize?"+c.query)), callback)
			if got.Get("error") != c.code || got.Get("state") != "s t&a=te" || got.Get("iss") != s.URL || got.Get("code") != "" || got.Get("error_description") == "" {
				t.Errorf("got %v", got)
			}
		})
	}
	got := sentTo(t, newTab(s).do(s.Call(t, "GET", "/authorize?"+query().Encode()+"&state=other")), callback)
	if got.Get("error") != "invalid_request" || got.Has("state") {
		t.Errorf("two states: got %v", got)
	}
}

func TestPostedRequest(t *testing.T) {
	s := codeServer(t, nil)
	b := newTab(s)
	sentTo(t, b.signIn(t), callback)
	fresh := newTab(s) // a browser sends no cookies with the POST of another site
	a := fresh.do(s.Call(t, "POST", "/authorize").Raw(query().Encode()).Set("Sec-Fetch-Site", "cross-site").Set("Origin", "https://app.example.com"))
	if a.Status != 303 || !strings.HasPrefix(a.Header.Get("Location"), "/authorize?") {
		t.Fatalf("got %d %v", a.Status, a.Header)
	}
	opened(t, sentTo(t, b.do(s.Call(t, "GET", a.Header.Get("Location"))), callback), servertest.Web)
	isPage(t, fresh.do(s.Call(t, "POST", "/authorize").Raw(query("redirect_uri=https://evil.example").Encode()+"&state=2")), 400, "redirect_uri")
	isPage(t, fresh.do(s.Call(t, "POST", "/authorize?"+query().Encode()).Raw("")), 400, "client_id")
}

func TestFormPost(t *testing.T) {
	s := codeServer(t, nil)
	a := newTab(s).signIn(t, "response_mode=form_post", `state="><script>`)
	isPage(t, a, 200, `name="code"`)
	for _, part := range []string{`action="` + callback + `"`, `name="iss" value="` + s.URL + `"`, `value="&#34;&gt;&lt;script&gt;"`} {
		if !strings.Contains(a.Raw, part) {
			t.Errorf("lacks %s:\n%s", part, a.Raw)
		}
	}
	isPage(t, newTab(s).open(t, "response_mode=form_post", "prompt=none"), 200, `value="login_required"`)
}

// TestRefusedLogins: the form gives away no more than the token endpoint.
func TestRefusedLogins(t *testing.T) {
	s := codeServer(t, func(cfg *server.Config) { cfg.Throttle = throttle.Config{PerAccount: 3} })
	b := newTab(s)
	page := b.open(t)
	refused := b.send(t, page, servertest.User, "wrong")
	isPage(t, refused, 400, wrong)
	unknown := b.send(t, page, "stranger", servertest.Password)
	if strings.ReplaceAll(hidden.ReplaceAllString(unknown.Raw, ""), "stranger", servertest.User) != hidden.ReplaceAllString(refused.Raw, "") {
		t.Errorf("an unknown user gets\n%s\nand a wrong password\n%s", unknown.Raw, refused.Raw)
	}
	isPage(t, b.send(t, page, "", ""), 400, "")
	change(t, s, func(u *store.User) { u.Disabled = true })
	isPage(t, b.send(t, page, servertest.User, servertest.Password), 400, wrong)
	change(t, s, func(u *store.User) { u.Disabled = false })
	for range 3 {
		s.Clock.Add(11 * time.Second)
		b.send(t, page, servertest.User, "wrong again")
	}
	slow := b.send(t, page, servertest.User, servertest.Password)
	isPage(t, slow, 429, "")
	if slow.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	s.Clock.Add(time.Minute)
	opened(t, sentTo(t, b.send(t, slow, servertest.User, servertest.Password), callback), servertest.Web) // the same form goes on
}

// TestForms: whose form it is, and where it comes from.
func TestForms(t *testing.T) {
	s := codeServer(t, nil)
	victim, attacker := newTab(s), newTab(s)
	first, second := victim.open(t), victim.open(t, ofOther...)
	foreign := attacker.open(t)

	isPage(t, victim.send(t, foreign, servertest.User, servertest.Password), 400, "") // login CSRF: a form of another browser
	victim.origin = "https://evil.example"
	isPage(t, victim.send(t, first, servertest.User, servertest.Password), 403, "")
	victim.origin = s.URL
	off := &tab{s, map[string]string{}, s.URL}
	isPage(t, off.send(t, first, servertest.User, servertest.Password), 400, "ookie")

	opened(t, sentTo(t, victim.send(t, second, servertest.User, servertest.Password), otherCallback), servertest.Other) // two tabs
	opened(t, sentTo(t, victim.send(t, first, servertest.User, servertest.Password), callback), servertest.Web)

	late := attacker.open(t)
	s.Clock.Add(2 * time.Hour)
	again := attacker.send(t, late, servertest.User, servertest.Password)
	isPage(t, again, 400, `name="request"`)
	opened(t, sentTo(t, attacker.send(t, again, servertest.User, servertest.Password), callback), servertest.Web)

	stale := newTab(s)
	page := stale.open(t)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.RedirectURIs = []string{"https://moved.example.com/"} })
	isPage(t, stale.send(t, page, servertest.User, servertest.Password), 400, "redirect_uri") // the client changed meanwhile
}

// TestFixation: a session that somebody else has put into the browser does not become the user's, and signing in as another
// user ends the session of the first.
func TestFixation(t *testing.T) {
	s := codeServer(t, nil)
	b := newTab(s)
	first := opened(t, sentTo(t, b.signIn(t), callback), servertest.Web)
	hash, err := s.Config.Passwords.Hash(t.Context(), "another password")
	if err != nil {
		t.Fatal(err)
	}
	bob := store.User{ID: store.UserID{7}, Username: "bob", PasswordHash: hash, CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now()}
	if err := s.Store.CreateUser(t.Context(), bob); err != nil {
		t.Fatal(err)
	}
	planted := &tab{s, maps.Clone(b.cookies), s.URL}
	second := opened(t, sentTo(t, planted.send(t, planted.open(t, "prompt=select_account"), "bob", "another password"), callback), servertest.Web)
	if second.UserID != bob.ID || second.Browser == first.Browser {
		t.Errorf("got %+v after %+v", second, first)
	}
	isPage(t, b.open(t), 200, "password") // who planted the cookie is signed out, and not signed in as bob
}

// TestAbandoned: a sign-in that is not finished leaves nothing in the store.
func TestAbandoned(t *testing.T) {
	s := codeServer(t, nil)
	records := func() (n int) {
		if err := s.Store.Export(t.Context(), func(store.Record) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := records()
	for range 100 {
		b := newTab(s)
		b.open(t)
		sentTo(t, b.open(t, "prompt=none"), callback)
		pushed := s.Form(t, "/par", params(query())...).Web().Wants(http.StatusCreated, "")
		isPage(t, b.do(s.Call(t, "GET", "/authorize?"+url.Values{"client_id": {"web"}, "request_uri": {pushed.Str("request_uri")}}.Encode())), 200, "password")
	}
	if after := records(); after != before {
		t.Errorf("%d records became %d", before, after)
	}
}

func params(q url.Values) (list []string) {
	for name := range q {
		if name != "client_id" {
			list = append(list, name+"="+q.Get(name))
		}
	}
	return list
}

// TestPushedRequests are those of RFC 9126.
func TestPushedRequests(t *testing.T) {
	s := codeServer(t, nil)
	push := func(changes ...string) *servertest.Request {
		return s.Form(t, "/par", params(query(changes...))...)
	}
	push().Wants(401, "invalid_client")
	push().Basic("web", "wrong").Wants(401, "invalid_client")
	push("request_uri=urn:ietf:params:oauth:request_uri:x").Web().Wants(400, "invalid_request")
	push("redirect_uri=https://evil.example/").Web().Wants(400, "invalid_request")
	push("code_challenge").Web().Wants(400, "invalid_request")
	push("response_type=token").Web().Wants(400, "unsupported_response_type")
	push("scope=jobs").Web().Wants(400, "invalid_scope")
	push("state="+strings.Repeat("s", 3900), "nonce="+strings.Repeat("n", 1000), "login_hint="+strings.Repeat("h", 320), "ui_locales="+strings.Repeat("l", 3000)).
		Web().Wants(400, "invalid_request")

	uri := push().Web().Wants(201, "").Str("request_uri")
	if !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
		t.Fatalf("got %s", uri)
	}
	at := func(client, uri string) *servertest.Request {
		return s.Call(t, "GET", "/authorize?"+url.Values{"client_id": {client}, "request_uri": {uri}, "redirect_uri": {"https://evil.example"}}.Encode())
	}
	b, slow := newTab(s), newTab(s)
	isPage(t, b.do(at("other", uri)), 400, "")
	isPage(t, b.do(at("web", uri+"x")), 400, "")
	page := b.do(at("web", uri))
	isPage(t, b.do(at("web", uri)), 200, "password") // a reload
	late := slow.do(at("web", uri))
	got := sentTo(t, b.send(t, page, servertest.User, servertest.Password), callback)
	if opened(t, got, servertest.Web).Nonce != "n-1" || got.Get("state") != "s t&a=te" {
		t.Errorf("got %v", got)
	}
	isPage(t, b.do(at("web", uri)), 400, "")
	isPage(t, slow.send(t, late, servertest.User, servertest.Password), 400, "")

	uri = push().Web().Wants(201, "").Str("request_uri")
	s.Clock.Add(time.Minute)
	isPage(t, newTab(s).do(at("web", uri)), 400, "") // too old

	s.SetClient(t, servertest.Web, func(c *store.Client) { c.RequirePAR = true })
	if got := sentTo(t, b.open(t), callback); got.Get("error") != "invalid_request" {
		t.Errorf("not pushed: got %v", got)
	}
	opened(t, sentTo(t, b.do(at("web", push().Web().Wants(201, "").Str("request_uri"))), callback), servertest.Web)
}

// TestEverybodySignsInAgain: to end the sessions of everybody ends those of browsers too, and their client is none that an
// operator sees or changes.
func TestEverybodySignsInAgain(t *testing.T) {
	s := codeServer(t, nil)
	admin, b := s.ServeAdmin(t, s.Admin()), newTab(s)
	sentTo(t, b.signIn(t), callback)
	s.Clock.Add(time.Minute)
	opened(t, sentTo(t, b.open(t, ofOther...), otherCallback), servertest.Other)
	before := admin.CallJSON(t, "GET", "/v1/clients", "").Wants(200, "").JSON["clients"].([]any)
	if a := admin.CallJSON(t, "DELETE", "/v1/sessions", "").Wants(200, ""); a.JSON["clients"] != float64(len(before)) {
		t.Errorf("the sessions of %v clients have ended, and there are %d", a.JSON["clients"], len(before))
	}
	isPage(t, b.open(t, ofOther...), 200, "password")
	opened(t, sentTo(t, b.signIn(t), callback), servertest.Web)

	list := admin.CallJSON(t, "GET", "/v1/clients", "").Wants(200, "")
	if strings.Contains(list.Raw, syntax.BrowserClient) {
		t.Errorf("the list has it: %s", list.Raw)
	}
	path := "/v1/clients/" + syntax.BrowserClient
	admin.CallJSON(t, "GET", path, "").Wants(404, "not_found")
	admin.CallJSON(t, "PATCH", path, `{"grants": ["client_credentials"]}`).Wants(404, "not_found")
	admin.CallJSON(t, "POST", path+"/disable", "").Wants(404, "not_found")
	admin.CallJSON(t, "DELETE", path, "").Wants(404, "not_found")
	isPage(t, b.open(t, "prompt=none", "client_id="+syntax.BrowserClient), 400, "")
}

// TestChosenService: an app that names its service gets access tokens for this one alone, also at refreshes.
func TestChosenService(t *testing.T) {
	s := codeServer(t, nil)
	const service = "https://orders.example"
	s.SetClient(t, servertest.Web, func(c *store.Client) {
		c.Scopes, c.Audiences = append(c.Scopes, "openid"), []string{service}
	})
	for resource, want := range map[string]string{"": service + " " + s.URL, service: service} {
		b := newTab(s)
		params := []string{"scope=openid"}
		if resource != "" {
			params = append(params, "resource="+resource)
		}
		got := sentTo(t, b.send(t, b.open(t, params...), "ada", servertest.Password), callback)
		a := s.Form(t, "/token", "grant_type=authorization_code", "code="+got.Get("code"), "redirect_uri="+callback, "code_verifier="+verifier).Web().Wants(200, "")
		for range 2 {
			_, claims := servertest.DecodeJWT(t, a.Str("access_token"))
			if aud := strings.Trim(fmt.Sprint(claims["aud"]), "[]"); aud != want {
				t.Errorf("resource=%s: got aud %s, want %s", resource, aud, want)
			}
			a = s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+a.Str("refresh_token")).Web().Wants(200, "")
		}
	}
}

// TestIDTokenHint: a request that is about one user gives no code of another one.
func TestIDTokenHint(t *testing.T) {
	s := codeServer(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Scopes = append(c.Scopes, "openid") })
	admin := s.ServeAdmin(t, s.Admin())
	admin.CallJSON(t, "POST", "/v1/users", `{"username": "bob", "password": "`+servertest.Password+`"}`).Wants(201, "")
	idToken := func(b *tab, name string) string {
		page := b.open(t, "scope=openid")
		got := sentTo(t, b.send(t, page, name, servertest.Password), callback)
		return s.Form(t, "/token", "grant_type=authorization_code", "code="+got.Get("code"), "redirect_uri="+callback, "code_verifier="+verifier).
			Web().Wants(200, "").Str("id_token")
	}
	b := newTab(s)
	ofAda, ofBob := idToken(b, "ada"), idToken(newTab(s), "bob")
	s.Clock.Add(time.Hour) // both have expired

	opened(t, sentTo(t, b.open(t, "prompt=none", "id_token_hint="+ofAda), callback), servertest.Web)
	for hint, want := range map[string]string{ofBob: "login_required", ofAda[:len(ofAda)-4]: "invalid_request", "x": "invalid_request"} {
		if got := sentTo(t, b.open(t, "prompt=none", "id_token_hint="+hint), callback); got.Get("error") != want || got.Has("code") {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	page := b.open(t, "id_token_hint="+ofBob)
	isPage(t, page, 200, "password")
	if got := sentTo(t, b.send(t, page, "ada", servertest.Password), callback); got.Get("error") != "login_required" || got.Has("code") {
		t.Errorf("another user than the hint's has signed in: got %v", got)
	}
	page = b.open(t, "id_token_hint="+ofBob)
	opened(t, sentTo(t, b.send(t, page, "bob", servertest.Password), callback), servertest.Web)
}
