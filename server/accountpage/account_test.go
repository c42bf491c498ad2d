package accountpage_test

import (
	"cmp"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

const (
	fresh   = "seven wet lanterns hum" // a password that may be chosen
	browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

// visitor is a browser: it keeps cookies, and sends the forms of the page that it shows.
type visitor struct {
	t      testing.TB
	server *servertest.Server
	client http.Client
	agent  string // User-Agent; empty: that of Firefox on Linux
	status int
	header http.Header
	page   string
}

func visit(t testing.TB, s *servertest.Server) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t: t, server: s, client: http.Client{Jar: jar}}
}

func (v *visitor) get() *visitor {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodGet, v.server.URL+"/account", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(r)
}

// post sends a form. headers are pairs.
func (v *visitor) post(fields url.Values, headers ...string) *visitor {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.server.URL+"/account", strings.NewReader(fields.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return v.do(r)
}

func (v *visitor) do(r *http.Request) *visitor {
	v.t.Helper()
	r.Header.Set("User-Agent", cmp.Or(v.agent, browser))
	response, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.status, v.header, v.page = response.StatusCode, response.Header, html.UnescapeString(string(body))
	return v
}

var token = regexp.MustCompile(`name="form" value="([^"]+)"`)

// form returns the fields that are hidden in the page, and those of pairs.
func (v *visitor) form(pairs ...string) url.Values {
	v.t.Helper()
	found := token.FindStringSubmatch(v.page)
	if found == nil {
		v.t.Fatalf("the page has no form:\n%s", v.page)
	}
	fields := url.Values{"form": {found[1]}}
	for i := 0; i+1 < len(pairs); i += 2 {
		fields.Set(pairs[i], pairs[i+1])
	}
	return fields
}

func (v *visitor) signIn() *visitor {
	v.t.Helper()
	v.get().post(v.form("username", servertest.User, "password", servertest.Password))
	return v.wants(http.StatusOK, "Signed in as ada")
}

func (v *visitor) change(current, new, repeat string) *visitor {
	v.t.Helper()
	return v.post(v.form("do", "change-password", "current-password", current, "new-password", new, "repeat-password", repeat))
}

func (v *visitor) wants(status int, text string) *visitor {
	v.t.Helper()
	if v.status != status || !strings.Contains(v.page, text) {
		v.t.Errorf("got %d, want %d and a page with %q:\n%s", v.status, status, text, v.page)
	}
	if strings.Contains(v.page, servertest.Password) || strings.Contains(v.page, fresh) {
		v.t.Error("the page has a password in it")
	}
	return v
}

func (v *visitor) shows(text string) bool { return strings.Contains(v.page, text) }

// TestSignInAndOut: the page asks who is there, shows the sessions, and ends the browser's.
func TestSignInAndOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	login := s.Login(t)
	v := visit(t, s)
	v.get().wants(http.StatusOK, `autocomplete="current-password"`)
	if v.shows("Signed in") {
		t.Error("somebody is signed in")
	}
	v.post(v.form("username", servertest.User, "password", "wrong")).wants(http.StatusBadRequest, "The username or the password is not correct.")
	if !v.shows(`value="ada"`) {
		t.Error("the username is to be typed again")
	}
	v.post(v.form("username", servertest.User)).wants(http.StatusBadRequest, "Enter your username and your password.")
	v.signIn()
	for _, text := range []string{"Firefox on Linux", "this browser", "Sign-in for all apps", ">web<", "At least 15 characters", "from 127.0.0.1"} {
		if !v.shows(text) {
			t.Errorf("the page has no %q:\n%s", text, v.page)
		}
	}
	if got := v.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	before := v.form("do", "sign-out")
	v.post(before).wants(http.StatusOK, "You are signed out")
	if !s.Active(t, login.Str("access_token")) {
		t.Error("signing out of the browser has ended another session")
	}
	v.get().wants(http.StatusOK, `autocomplete="current-password"`)
	v.post(before).wants(http.StatusBadRequest, "You are no longer signed in.")
}

// TestEndSessions: a user ends one session, then all others. Those of another user stay.
func TestEndSessions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	hash, err := s.Config.Passwords.Hash(t.Context(), servertest.Password)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.CreateUser(t.Context(), store.User{ID: store.UserID{9}, Username: "grace", PasswordHash: hash}); err != nil {
		t.Fatal(err)
	}
	one, two, foreign := s.Login(t), s.Login(t), s.PasswordLogin(t, "grace", servertest.Password).Wants(http.StatusOK, "")
	sid := func(a servertest.Answer) string {
		_, claims := servertest.DecodeJWT(t, a.Str("access_token"))
		return claims["sid"].(string)
	}
	v := visit(t, s).signIn()
	v.post(v.form("do", "end", "session", sid(foreign))).wants(http.StatusOK, "That device was signed out already.")
	v.post(v.form("do", "end", "session", "nonsense")).wants(http.StatusOK, "That device was signed out already.")
	v.post(v.form("do", "end", "session", sid(one))).wants(http.StatusOK, "That device is signed out.")
	if s.Active(t, one.Str("access_token")) || !s.Active(t, two.Str("access_token")) {
		t.Error("not the session that was asked for has ended")
	}
	elsewhere := visit(t, s).signIn()
	v.post(v.form("do", "end-others")).wants(http.StatusOK, "2 other sessions were signed out.")
	if s.Active(t, two.Str("access_token")) || !s.Active(t, foreign.Str("access_token")) {
		t.Error("the user's other session goes on, or that of another user has ended")
	}
	elsewhere.get().wants(http.StatusOK, `autocomplete="current-password"`)
	v.get().wants(http.StatusOK, "You are signed in nowhere else.")
	if n := strings.Count(s.Log.String(), `"actor":"`+s.UserID.String()+`"`); n < 3 {
		t.Errorf("the log has %d events whose actor is the user, want one for each session", n)
	}
}

// TestChangePassword: the current password is asked for, the rules of new ones hold, and all other sessions end.
func TestChangePassword(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	login := s.Login(t)
	v := visit(t, s).signIn()
	other := visit(t, s).signIn()
	for _, c := range []struct{ current, new, repeat, want string }{
		{"", fresh, fresh, "Enter the current password, and the new one twice."},
		{servertest.Password, fresh, fresh + "!", "The two entries of the new password are not the same."},
		{servertest.Password, servertest.Password, servertest.Password, "The new password is the current one."},
		{servertest.Password, "short", "short", "It needs at least 15 characters."},
		{servertest.Password, strings.Repeat("ab c", 200), strings.Repeat("ab c", 200), "characters at most."},
		{servertest.Password, "passwordpassword", "passwordpassword", "too easy to guess"},
		{"wrong", fresh, fresh, "The current password is not correct."},
	} {
		page := v.change(c.current, c.new, c.repeat).page
		if v.status != http.StatusBadRequest || !strings.Contains(page, c.want) {
			t.Errorf("%+v: got %d, want %q\n%s", c, v.status, c.want, page)
		}
	}
	if !s.Active(t, login.Str("access_token")) {
		t.Fatal("a refused change has ended a session")
	}
	v.change(servertest.Password, fresh, fresh).wants(http.StatusOK, "Your password is changed")
	if s.Active(t, login.Str("access_token")) {
		t.Error("the session of an app goes on")
	}
	if n := strings.Count(v.page, `name="session"`); n != 0 {
		t.Errorf("%d other sessions are listed", n)
	}
	other.get().wants(http.StatusOK, `autocomplete="username"`)
	if other.shows("Signed in as") {
		t.Error("another browser is still signed in")
	}
	v.get().wants(http.StatusOK, "Signed in as ada")
	s.PasswordLogin(t, servertest.User, servertest.Password).Wants(http.StatusBadRequest, "invalid_grant")
	s.PasswordLogin(t, servertest.User, fresh).Wants(http.StatusOK, "")
}

// TestChangePasswordThrottled: the form is no place to guess the password faster than at a login.
func TestChangePasswordThrottled(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(c *server.Config) { c.Throttle.PerAccount = 3 })
	v := visit(t, s).signIn()
	for i := range 3 {
		v.change("wrong "+string(rune('a'+i)), fresh, fresh).wants(http.StatusBadRequest, "The current password is not correct.")
	}
	v.change(servertest.Password, fresh, fresh).wants(http.StatusTooManyRequests, "Try again in 1 second.")
	if v.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", v.header.Get("Retry-After"))
	}
	s.Clock.Add(2 * time.Second)
	v.change(servertest.Password, fresh, fresh).wants(http.StatusOK, "Your password is changed")
}

// TestForgedForms: what the page did not show to this browser does nothing.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	v, thief := visit(t, s).signIn(), visit(t, s).signIn()
	out := v.form("do", "sign-out")
	v.post(out, "Sec-Fetch-Site", "cross-site").wants(http.StatusForbidden, "That did not come from this site")
	v.post(out, "Sec-Fetch-Site", "same-site").wants(http.StatusForbidden, "That did not come from this site")
	v.post(out, "Sec-Fetch-Site", "", "Origin", "https://evil.example").wants(http.StatusForbidden, "That did not come from this site")
	for name, fields := range map[string]url.Values{
		"another browser's token": thief.form("do", "sign-out"),
		"no token":                {"do": {"sign-out"}},
		"a token that is cut":     {"do": {"sign-out"}, "form": {out.Get("form")[:40]}},
	} {
		if v.post(fields).wants(http.StatusOK, "Signed in as ada"); v.shows("You are signed out") {
			t.Errorf("%s: accepted", name)
		}
	}
	s.Clock.Add(61 * time.Minute)
	v.post(out).wants(http.StatusOK, "Signed in as ada")
	v.post(v.form("do", "format-disk")).wants(http.StatusBadRequest, "This link does not work")
	v.post(url.Values{"do": {"sign-out", "end"}}).wants(http.StatusBadRequest, "do is given more than once")

	stranger := visit(t, s)
	stranger.post(thief.form("username", servertest.User, "password", servertest.Password)).wants(http.StatusBadRequest, "Your browser keeps no cookies")
	stranger.get()
	old := stranger.form("username", servertest.User, "password", servertest.Password)
	s.Clock.Add(61 * time.Minute)
	stranger.post(old).wants(http.StatusBadRequest, "This page was open for too long.")
	if !stranger.shows(`value="ada"`) {
		t.Error("the username is to be typed again")
	}
}

// TestMethods: a probe of the page gets a page for people too.
func TestMethods(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	a := s.Call(t, http.MethodPut, "/account").Do()
	if a.Status != http.StatusMethodNotAllowed || a.Header.Get("Content-Type") != "text/html; charset=utf-8" || a.Header.Get("Allow") != "GET, HEAD, POST" {
		t.Errorf("PUT: %d, %v", a.Status, a.Header)
	}
	if a := s.Call(t, http.MethodHead, "/account").Do(); a.Status != http.StatusOK || a.Raw != "" {
		t.Errorf("HEAD: %d, %d bytes", a.Status, len(a.Raw))
	}
}

// TestElsewhere: a password that another system has cannot be changed here.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	v := visit(t, s).signIn()
	form := v.form("do", "change-password", "current-password", servertest.Password, "new-password", fresh, "repeat-password", fresh)
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { u.PasswordHash, u.Move = "", store.MoveStay; return nil }); err != nil {
		t.Fatal(err)
	}
	v.get().wants(http.StatusOK, "Your password is kept in another system.")
	if v.shows(`name="new-password"`) {
		t.Error("there is a form for it")
	}
	v.post(form).wants(http.StatusConflict, "Your password is kept in another system.")
}

// TestAppsOfTheBrowser: apps that were signed in to from a browser belong to it, and each browser has its name.
func TestAppsOfTheBrowser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	v, other := visit(t, s).signIn(), visit(t, s)
	other.agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
	other.signIn()
	all, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d sessions, %v", len(all), err)
	}
	begin := func(id byte, parent store.SessionID) {
		if _, _, err := s.Store.StartSession(t.Context(), store.Session{ID: store.SessionID{id}, UserID: s.UserID, ClientID: servertest.SPA, Parent: parent,
			StartedAt: s.Clock.Now(), RotatedAt: s.Clock.Now()}, store.SessionLimits{}); err != nil {
			t.Fatal(err)
		}
	}
	for i, session := range all {
		begin(byte(1+i), session.ID)
	}
	v.get()
	for _, name := range []string{"Firefox on Linux", "Safari on iPhone"} {
		if n := strings.Count(v.page, name+"</bdi>"); n != 2 {
			t.Errorf("%d sessions are those of %s, want its own and that of its app\n%s", n, name, v.page)
		}
	}
	v.post(v.form("do", "end-others")).wants(http.StatusOK, "2 other sessions were signed out.")
	other.get()
	left, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
	if err != nil || len(left) != 2 || other.shows("Signed in as") {
		t.Errorf("%d sessions are left, %v; want those of this browser", len(left), err)
	}
	v.post(v.form("do", "sign-out")).wants(http.StatusOK, "You are signed out")
	if left, _ = s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes); len(left) != 0 {
		t.Errorf("%d sessions are left after the browser was signed out", len(left))
	}
}

// TestStoreDown: people get a page, with the form that they can send again, and no session ends.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	v, stranger := visit(t, s).signIn(), visit(t, s)
	if err := s.Store.Close(); err != nil {
		t.Fatal(err)
	}
	stranger.get().wants(http.StatusOK, `autocomplete="current-password"`) // without a cookie no store is asked
	stranger.post(stranger.form("username", servertest.User, "password", servertest.Password)).wants(http.StatusServiceUnavailable, "Signing in does not work at the moment.")
	if !stranger.shows(`value="ada"`) || stranger.header.Get("Retry-After") == "" {
		t.Errorf("no form to send again, or no Retry-After: %v\n%s", stranger.header, stranger.page)
	}
	form := v.form("do", "sign-out")
	v.get().wants(http.StatusServiceUnavailable, "This does not work at the moment")
	v.post(form).wants(http.StatusServiceUnavailable, "This does not work at the moment")
	if v.header.Get("Set-Cookie") != "" || v.header.Get("Retry-After") == "" {
		t.Errorf("headers %v", v.header)
	}
}
