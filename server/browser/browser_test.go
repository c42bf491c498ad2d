package browser_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/server/browser"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/store"
)

// memory has one session. asked counts round trips.
type memory struct {
	state   store.TokenState
	err     error
	asked   int
	revoked []store.SessionID
}

func (m *memory) TokenState(context.Context, store.TokenRef) (store.TokenState, error) {
	m.asked++
	return m.state, m.err
}

func (m *memory) RevokeSession(_ context.Context, _ store.UserID, id store.SessionID) (bool, error) {
	m.revoked = append(m.revoked, id)
	return true, m.err
}

func (m *memory) CreateClient(context.Context, store.Client) error { return m.err }

// Get is that of the cache of clients.
func (m *memory) Get(_ context.Context, id string) (*store.Client, error) {
	return &store.Client{ID: id}, nil
}

func sessions(t testing.TB, m *memory, issuer string) *browser.Sessions {
	t.Helper()
	s, err := browser.New(browser.Config{Issuer: issuer, Keys: [][32]byte{{1}}, InUse: func() int { return 0 }, Store: m, Clients: m, Now: time.Now,
		Ended: func(_ store.Session, u *store.User, _ *store.Client, _ time.Time) string {
			if u.Disabled {
				return "disabled"
			}
			return ""
		}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request is one of a browser that has what the headers set.
func request(headers ...http.Header) *edge.Request {
	r := httptest.NewRequest(http.MethodGet, "/authorize", nil)
	for _, h := range headers {
		for _, line := range h["Set-Cookie"] {
			pair, _, _ := strings.Cut(line, ";")
			r.Header.Add("Cookie", pair)
		}
	}
	return &edge.Request{Request: r}
}

var signedIn = browser.SignedIn{User: store.User{ID: store.UserID{1}}, Session: store.Session{ID: store.SessionID{2}, UserID: store.UserID{1}, ClientID: syntax.BrowserClient},
	AuthTime: time.UnixMilli(1_700_000_000_123).UTC(), AMR: []string{"pwd"}, ACR: "1"}

func TestCurrent(t *testing.T) {
	const issuer = "https://auth.example.com"
	live := store.TokenState{Live: true, User: signedIn.User, Session: signedIn.Session}
	cookie, other := http.Header{}, http.Header{}
	sessions(t, nil, issuer).Set(cookie, signedIn)
	sessions(t, nil, issuer+"/tenant").Set(other, signedIn)
	forged := http.Header{"Set-Cookie": {strings.Replace(cookie.Get("Set-Cookie"), "=A", "=B", 1)}}
	for _, c := range []struct {
		name    string
		headers []http.Header
		state   store.TokenState
		err     error
		found   bool
		asked   int
	}{
		{"signed in", []http.Header{cookie}, live, nil, true, 1},
		{"no cookie", nil, live, nil, false, 0},
		{"the cookie of another issuer of the host", []http.Header{other}, live, nil, false, 0},
		{"two cookies of the name", []http.Header{cookie, cookie}, live, nil, false, 0},
		{"a forged cookie", []http.Header{forged}, live, nil, false, 0},
		{"the session has ended", []http.Header{cookie}, store.TokenState{}, nil, false, 1},
		{"the user is disabled", []http.Header{cookie}, store.TokenState{Live: true, User: store.User{Disabled: true}, Session: signedIn.Session}, nil, false, 1},
		{"a session of an app", []http.Header{cookie}, store.TokenState{Live: true, User: signedIn.User, Session: store.Session{ClientID: "web"}}, nil, false, 1},
		{"the store is down", []http.Header{cookie}, store.TokenState{}, store.ErrUnavailable, false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &memory{state: c.state, err: c.err}
			got, err := sessions(t, m, issuer).Current(request(c.headers...))
			if !errors.Is(err, c.err) || (got != nil) != c.found || m.asked != c.asked {
				t.Errorf("got %v, %v after %d round trips", got, err, m.asked)
			}
			if got != nil && (!got.AuthTime.Equal(signedIn.AuthTime) || got.ACR != "1" || len(got.AMR) != 1) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestCookies: a cookie is of this host and ends with the browser, so that the browser's clock does not matter.
func TestCookies(t *testing.T) {
	for _, c := range []struct {
		issuer string
		prefix string
		secure bool
	}{
		{"https://auth.example.com", "__Host-signet-session=", true},
		{"https://auth.example.com/tenant", "__Host-signet-session-", true},
		{"http://127.0.0.1:8080", "signet-session-", false}, // browsers take no __Host- cookie without https
	} {
		h := http.Header{}
		s := sessions(t, nil, c.issuer)
		s.Set(h, signedIn)
		got := h.Get("Set-Cookie")
		if !strings.HasPrefix(got, c.prefix) || strings.Contains(got, "; Secure") != c.secure || !strings.Contains(got, "; Path=/; HttpOnly") ||
			!strings.Contains(got, "; SameSite=Lax") || strings.Contains(got, "Domain") || strings.Contains(got, "Expires") || strings.Contains(got, "Max-Age") {
			t.Errorf("%s: got %s", c.issuer, got)
		}
		clear := http.Header{}
		s.Clear(clear)
		if name, _, _ := strings.Cut(got, "="); !strings.HasPrefix(clear.Get("Set-Cookie"), name+"=; Path=/; Max-Age=0") {
			t.Errorf("%s: cleared by %s", c.issuer, clear.Get("Set-Cookie"))
		}
	}
}

// TestName: a browser keeps its name, so that a form in another tab stays good.
func TestName(t *testing.T) {
	s := sessions(t, nil, "https://auth.example.com")
	first, again := http.Header{}, http.Header{}
	name := s.SetName(request(), first)
	if got := s.SetName(request(first), again); got != name || len(again) != 0 || s.Name(request(first)) != name {
		t.Errorf("got %s and %v after %s", got, again, name)
	}
	if got := s.Name(request()); got != "" {
		t.Errorf("without a cookie: got %s", got)
	}
}

func TestReplace(t *testing.T) {
	fresh := browser.SignedIn{User: store.User{ID: store.UserID{1}}, Session: store.Session{ID: store.SessionID{3}, UserID: store.UserID{1}}}
	another := browser.SignedIn{User: store.User{ID: store.UserID{9}}, Session: store.Session{ID: store.SessionID{4}, UserID: store.UserID{9}}}
	for _, c := range []struct {
		name        string
		before      *browser.SignedIn
		now         browser.SignedIn
		kept, ended store.SessionID
	}{
		{"nobody before", nil, fresh, fresh.Session.ID, store.SessionID{}},
		{"the same user", &signedIn, fresh, signedIn.Session.ID, fresh.Session.ID},
		{"another user", &signedIn, another, another.Session.ID, signedIn.Session.ID},
	} {
		m := &memory{}
		got, err := sessions(t, m, "https://auth.example.com").Replace(request(), c.before, c.now)
		if err != nil || got.Session.ID != c.kept || len(m.revoked) > 1 || len(m.revoked) == 1 && m.revoked[0] != c.ended || (len(m.revoked) == 0) != c.ended.IsZero() {
			t.Errorf("%s: kept %v, ended %v, %v", c.name, got.Session.ID, m.revoked, err)
		}
	}
}
