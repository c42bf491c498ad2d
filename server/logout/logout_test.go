package logout_test

import (
	"crypto/rand"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
	"signet/server/token"
	"signet/store"
)

const back = "https://app.example.com/bye?from=signet"

// rig is a server whose client web is an app that signs users out.
type rig struct {
	*servertest.Server
	t      testing.TB
	issuer *token.Issuer
}

func newRig(t testing.TB) *rig {
	t.Helper()
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) {
		c.Scopes = append(c.Scopes, "openid")
		c.PostLogoutURIs = []string{back}
	})
	hash, err := s.Config.Passwords.Hash(t.Context(), servertest.Password)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Store.CreateUser(t.Context(), store.User{ID: store.UserID{9}, Username: "eve", PasswordHash: hash, CreatedAt: s.Clock.Now(), UpdatedAt: s.Clock.Now()}); err != nil {
		t.Fatal(err)
	}
	return &rig{s, t, token.NewIssuer(token.IssuerConfig{Issuer: s.URL, Keys: s.Keys, Now: s.Clock.Now, MaxLife: time.Hour, Life: func() time.Duration { return time.Minute }})}
}

// appSession begins a session of web from the session of a browser, and returns its id_token.
func (r *rig) appSession(user store.UserID, parent store.SessionID) (store.SessionID, string) {
	r.t.Helper()
	now := r.Clock.Now()
	s := store.Session{UserID: user, ClientID: servertest.Web, StartedAt: now, RotatedAt: now, Parent: parent}
	rand.Read(s.ID[:])
	begun, u, err := r.Store.RedeemCode(r.t.Context(), s, store.SessionLimits{PerUser: 100, Absolute: 90 * 24 * time.Hour}, now.Add(time.Minute))
	if err != nil {
		r.t.Fatal(err)
	}
	client, err := r.Store.Client(r.t.Context(), servertest.Web)
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := r.issuer.IDToken(r.t.Context(), token.IDGrant{Client: &client, User: &u, Session: &begun, AuthTime: now, Access: token.Issued{Token: "x", Life: time.Minute}})
	if err != nil {
		r.t.Fatal(err)
	}
	return begun.ID, id.Token
}

func (r *rig) live(user store.UserID, id store.SessionID) bool {
	r.t.Helper()
	state, err := r.Store.TokenState(r.t.Context(), store.TokenRef{UserID: user, SessionID: id})
	if err != nil {
		r.t.Fatal(err)
	}
	return state.Live
}

// visitor is a browser.
type visitor struct {
	*rig
	http http.Client
}

// answer is what a browser got.
type answer struct {
	status   int
	location string
	page     string
}

// visit returns a browser in which the user is signed in, and its session.
func (r *rig) visit(username string) (*visitor, store.SessionID) {
	r.t.Helper()
	v := r.stranger()
	page := v.get("/account", nil)
	v.post("/account", url.Values{"form": {formOf(r.t, page)}, "username": {username}, "password": {servertest.Password}}, "same-origin")
	user := r.UserID
	if username == "eve" {
		user = store.UserID{9}
	}
	sessions, err := r.Store.ListSessions(r.t.Context(), user, r.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	if err != nil || len(sessions) == 0 {
		r.t.Fatalf("%s is not signed in: %v", username, err)
	}
	newest := sessions[0]
	for _, s := range sessions {
		if s.StartedAt.After(newest.StartedAt) {
			newest = s
		}
	}
	r.Clock.Add(time.Second)
	return v, newest.ID
}

// stranger returns a browser in which nobody is signed in.
func (r *rig) stranger() *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &visitor{r, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) get(path string, query url.Values) answer {
	v.t.Helper()
	return v.do(http.MethodGet, path+"?"+query.Encode(), "", "cross-site")
}

func (v *visitor) post(path string, form url.Values, site string) answer {
	v.t.Helper()
	return v.do(http.MethodPost, path, form.Encode(), site)
}

func (v *visitor) do(method, path, body, site string) answer {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.URL+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", site)
	response, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header.Get("Location"), html.UnescapeString(string(text))}
}

var formField = regexp.MustCompile(`name="form" value="([^"]+)"`)

func formOf(t testing.TB, a answer) string {
	t.Helper()
	found := formField.FindStringSubmatch(a.page)
	if found == nil {
		t.Fatalf("the page has no form: %d\n%s", a.status, a.page)
	}
	return found[1]
}

// An app's id_token ends the session of the browser and those of all apps that began from it, also long after it has expired, and the browser
// goes back to the app. A POST does the same.
func TestHintEndsTheSessionsOfTheBrowser(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		r := newRig(t)
		v, signedIn := r.visit(servertest.User)
		first, id := r.appSession(r.UserID, signedIn)
		second, _ := r.appSession(r.UserID, signedIn)
		elsewhere, _ := r.appSession(r.UserID, store.SessionID{})
		r.Move(t, 2*time.Minute)
		params := url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {back}, "state": {"a&b"}, "client_id": {"web"}}
		var got answer
		if method == "GET" {
			got = v.get("/logout", params)
		} else {
			got = v.post("/logout", params, "cross-site")
			got = v.do("GET", got.location, "", "cross-site")
		}
		if got.status != http.StatusSeeOther || got.location != back+"&state=a%26b" {
			t.Errorf("%s: got %d to %q\n%s", method, got.status, got.location, got.page)
		}
		for _, session := range []store.SessionID{signedIn, first, second} {
			if r.live(r.UserID, session) {
				t.Errorf("%s: a session of the browser has not ended", method)
			}
		}
		if !r.live(r.UserID, elsewhere) {
			t.Errorf("%s: a session of another device has ended", method)
		}
		if e := r.AwaitEvent(t, store.EventSessionRevoke); e.Actor != r.UserID.String() || e.SessionID != signedIn.String() {
			t.Errorf("%s: got event %+v", method, e)
		}
		// Again, by somebody who is signed out: nothing is left to end.
		if got := v.get("/logout", params); got.location != back+"&state=a%26b" {
			t.Errorf("%s again: got %d to %q", method, got.status, got.location)
		}
	}
}

// A session that began from no browser ends itself. Without a URI the page is one of this server.
func TestHintOfASessionWithoutBrowser(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	session, id := r.appSession(r.UserID, store.SessionID{})
	got := r.stranger().get("/logout", url.Values{"id_token_hint": {id}})
	if got.status != http.StatusOK || !strings.Contains(got.page, "/account") || r.live(r.UserID, session) {
		t.Errorf("got %d, session live: %t\n%s", got.status, r.live(r.UserID, session), got.page)
	}
}

// Any site can send a browser here. Without a hint, or with that of another user, nothing ends before the user has confirmed it.
func TestNobodyIsSignedOutWithoutHintOrConfirmation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	attacker, id := r.appSession(store.UserID{9}, store.SessionID{})
	for name, params := range map[string]url.Values{
		"no hint":              {"client_id": {"web"}, "post_logout_redirect_uri": {back}, "state": {"s"}},
		"hint of another user": {"id_token_hint": {id}, "post_logout_redirect_uri": {back}, "state": {"s"}},
		"a forged hint":        {"id_token_hint": {id + "x"}, "client_id": {"web"}, "post_logout_redirect_uri": {back}, "state": {"s"}},
	} {
		v, signedIn := r.visit(servertest.User)
		page := v.get("/logout", params)
		if page.status != http.StatusOK || page.location != "" || !r.live(r.UserID, signedIn) || !r.live(store.UserID{9}, attacker) {
			t.Errorf("%s: got %d to %q, signed in: %t", name, page.status, page.location, r.live(r.UserID, signedIn))
		}
		form := url.Values{"form": {formOf(t, page)}}
		if got := v.post("/logout", form, "cross-site"); got.status != http.StatusForbidden || !r.live(r.UserID, signedIn) {
			t.Errorf("%s: the form from another site: got %d", name, got.status)
		}
		other, _ := r.visit("eve")
		if got := other.post("/logout", form, "same-origin"); got.status != http.StatusBadRequest {
			t.Errorf("%s: the form from another browser: got %d", name, got.status)
		}
		if got := r.stranger().post("/logout", form, "same-origin"); got.status != http.StatusBadRequest {
			t.Errorf("%s: the form without cookies: got %d", name, got.status)
		}
		if got := v.post("/logout", form, "same-origin"); got.location != back+"&state=s" || r.live(r.UserID, signedIn) {
			t.Errorf("%s, confirmed: got %d to %q, signed in: %t", name, got.status, got.location, r.live(r.UserID, signedIn))
		}
		if got := v.get("/account", nil); strings.Contains(got.page, "sign-out") {
			t.Errorf("%s: the browser is still signed in", name)
		}
	}
}

// A form that was open for too long is not taken.
func TestOldFormOfTheQuestion(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, signedIn := r.visit(servertest.User)
	form := url.Values{"form": {formOf(t, v.get("/logout", nil))}}
	for range 7 {
		r.Move(t, 10*time.Minute)
	}
	if got := v.post("/logout", form, "same-origin"); got.status != http.StatusBadRequest || !r.live(r.UserID, signedIn) {
		t.Errorf("got %d, signed in: %t", got.status, r.live(r.UserID, signedIn))
	}
}

// The browser is sent nowhere but to the registered URIs of the app, and nothing ends with a bad request.
func TestNoOpenRedirect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, signedIn := r.visit(servertest.User)
	session, id := r.appSession(r.UserID, signedIn)
	for name, params := range map[string]url.Values{
		"unregistered":             {"id_token_hint": {id}, "post_logout_redirect_uri": {"https://evil.example/"}},
		"longer":                   {"id_token_hint": {id}, "post_logout_redirect_uri": {back + "1"}},
		"another case":             {"id_token_hint": {id}, "post_logout_redirect_uri": {strings.ToUpper(back)}},
		"with userinfo":            {"id_token_hint": {id}, "post_logout_redirect_uri": {"https://app.example.com@evil.example/bye?from=signet"}},
		"with a fragment":          {"id_token_hint": {id}, "post_logout_redirect_uri": {back + "#"}},
		"without the app":          {"post_logout_redirect_uri": {back}},
		"of another app":           {"client_id": {"spa"}, "post_logout_redirect_uri": {back}},
		"of no app":                {"client_id": {"nobody"}, "post_logout_redirect_uri": {back}},
		"the app is another one":   {"id_token_hint": {id}, "client_id": {"spa"}, "post_logout_redirect_uri": {back}},
		"only a forged hint":       {"id_token_hint": {"x.y.z"}, "post_logout_redirect_uri": {back}},
		"the parameter is doubled": {"id_token_hint": {id}, "post_logout_redirect_uri": {back, back}},
	} {
		got := v.get("/logout", params)
		if got.status != http.StatusBadRequest || got.location != "" || !strings.Contains(got.page, "<h1>") {
			t.Errorf("%s: got %d to %q", name, got.status, got.location)
		}
		if !r.live(r.UserID, signedIn) || !r.live(r.UserID, session) {
			t.Fatalf("%s: a session has ended", name)
		}
	}
}

// An app on the user's machine listens on a port that its system has given out, also for the end of a logout.
func TestLogoutOfAnAppOnThisMachine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.SetClient(t, servertest.Web, func(c *store.Client) { c.PostLogoutURIs = []string{"http://127.0.0.1/bye", "http://localhost/bye"} })
	for uri, want := range map[string]int{
		"http://127.0.0.1:49152/bye":      http.StatusSeeOther,
		"http://127.0.0.1/bye":            http.StatusSeeOther,
		"http://127.0.0.1:49152/by":       http.StatusBadRequest,
		"http://127.0.0.2:49152/bye":      http.StatusBadRequest,
		"http://localhost:49152/bye":      http.StatusBadRequest,
		"https://127.0.0.1:49152/bye":     http.StatusBadRequest,
		"http://127.0.0.1:1@evil/bye":     http.StatusBadRequest,
		"http://127.0.0.1.evil.com:1/bye": http.StatusBadRequest,
	} {
		got := r.stranger().get("/logout", url.Values{"client_id": {servertest.Web}, "post_logout_redirect_uri": {uri}})
		if got.status != want || want == http.StatusSeeOther && got.location != uri {
			t.Errorf("%s: got %d to %q, want %d", uri, got.status, got.location, want)
		}
	}
}

// Tokens of other kinds are no hints, and nothing of them is in the page.
func TestOtherTokensAreNoHints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v, signedIn := r.visit(servertest.User)
	login := r.Login(t)
	client, err := r.Store.Client(t.Context(), servertest.Web)
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.issuer.LogoutToken(t.Context(), &client, r.UserID, signedIn)
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{"access token": login.Str("access_token"), "refresh token": login.Str("refresh_token"), "logout token": out.Token} {
		got := v.get("/logout", url.Values{"id_token_hint": {raw}})
		if got.status != http.StatusOK || !r.live(r.UserID, signedIn) || strings.Contains(got.page, raw) {
			t.Errorf("%s: got %d, signed in: %t", name, got.status, r.live(r.UserID, signedIn))
		}
		formOf(t, got) // it asks
	}
}

// The metadata has the endpoint.
func TestEndSessionEndpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.Call(t, "GET", "/.well-known/openid-configuration").Wants(200, "")
	if got := a.Str("end_session_endpoint"); got != r.URL+"/logout" {
		t.Errorf("got %q", got)
	}
}
