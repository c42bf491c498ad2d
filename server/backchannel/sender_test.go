package backchannel_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/server"
	"signet/server/backchannel"
	"signet/server/outbound"
	"signet/server/servertest"
	"signet/server/token"
	"signet/store"
)

// app is the endpoint of an app. answer is what it does; nil: 200.
type app struct {
	*httptest.Server
	mu     sync.Mutex
	tokens []string
	answer atomic.Pointer[http.HandlerFunc]
}

func newApp(t *testing.T) *app {
	t.Helper()
	a := &app{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil || len(r.PostForm) != 1 {
			t.Errorf("got %s with %s", r.Method, r.Header.Get("Content-Type"))
		}
		a.mu.Lock()
		a.tokens = append(a.tokens, r.PostForm.Get("logout_token"))
		a.mu.Unlock()
		if answer := a.answer.Load(); answer != nil {
			(*answer)(w, r)
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *app) answers(h http.HandlerFunc) { a.answer.Store(&h) }

func (a *app) status(code int) {
	a.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// received returns the tokens so far.
func (a *app) received() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.tokens)
}

var loopback = outbound.Dialer{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Setting: "backchannel_logout.networks"}

// rig is a server whose sender runs, and whose client Web has an app.
type rig struct {
	*servertest.Server
	app *app
}

func newRig(t *testing.T, change func(*backchannel.Settings)) *rig {
	t.Helper()
	settings := backchannel.Settings{HTTP: loopback.Client(&tls.Config{}), Timeout: 5 * time.Second, Poll: 10 * time.Millisecond}
	if change != nil {
		change(&settings)
	}
	r := &rig{servertest.New(t, func(cfg *server.Config) { cfg.BackChannel = settings }), newApp(t)}
	r.SetClient(t, servertest.Web, func(c *store.Client) { c.BackchannelLogoutURI = r.app.URL + "/logout?from=signet" })
	r.run(t)
	return r
}

// run lets the server's housekeeping run until the test ends.
func (r *rig) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// end begins a session and ends it.
func (r *rig) end(t *testing.T) servertest.Answer {
	t.Helper()
	a := r.Login(t)
	r.Form(t, "/revoke", "token="+a.Str("refresh_token")).Basic(servertest.Web, servertest.WebSecret).Wants(http.StatusOK, "")
	return a
}

// until waits for a condition, moving the clock on so that what is postponed is due.
func (r *rig) until(t *testing.T, what string, step time.Duration, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s; the log:\n%s", what, r.Log)
		}
		if step > 0 {
			r.Move(t, step)
		}
	}
}

func (r *rig) queue(t *testing.T) store.LogoutQueue {
	t.Helper()
	q, err := r.Store.LogoutQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func (r *rig) empty(t *testing.T) func() bool {
	return func() bool { return r.queue(t).Length == 0 }
}

// events returns the outcomes of the events of type logout.
func (r *rig) events(t *testing.T) (outcomes []string) {
	t.Helper()
	r.Server.Close() // it writes what is left
	all, err := r.Store.Events(t.Context(), store.EventQuery{Types: []string{store.EventLogout}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if e.ClientID != servertest.Web || e.Subject != r.UserID.String() || e.SessionID == "" {
			t.Errorf("got event %+v", e)
		}
		outcomes = append(outcomes, e.Outcome)
	}
	return outcomes
}

// The app gets a token that a library accepts with the published keys: §2.4 and the checks of §2.6.
func TestAppIsInformed(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ended := r.end(t)
	r.until(t, "the token", 0, func() bool { return len(r.app.received()) == 1 })
	r.until(t, "the queue", 0, r.empty(t))
	raw := r.app.received()[0]

	provider, err := oidc.NewProvider(t.Context(), r.URL)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: servertest.Web, Now: r.Clock.Now, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		JTI    string                    `json:"jti"`
		SID    string                    `json:"sid"`
		Nonce  *string                   `json:"nonce"`
		Events map[string]map[string]any `json:"events"`
	}
	if err := verified.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	head, _ := servertest.DecodeJWT(t, raw)
	if head["typ"] != token.TypeLogout {
		t.Errorf("got typ %v", head["typ"])
	}
	_, access := servertest.DecodeJWT(t, ended.Str("access_token"))
	event, has := claims.Events[token.LogoutEvent]
	if verified.Subject != r.UserID.String() || claims.SID != access["sid"] || claims.JTI == "" || claims.Nonce != nil || !has || len(event) != 0 || len(claims.Events) != 1 {
		t.Errorf("got %+v of %s", claims, verified.Subject)
	}
	if life := verified.Expiry.Sub(verified.IssuedAt); life <= 0 || life > 2*time.Minute {
		t.Errorf("it is good for %s", life)
	}
	if strings.Contains(r.Log.String(), raw) || strings.Contains(r.Log.String(), "from=signet") {
		t.Error("the log has the token or the URI")
	}
	if got := r.events(t); len(got) != 0 {
		t.Errorf("got events %v", got)
	}
}

// What the app answers decides whether it is informed again.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for code, informed := range map[int]int{200: 1, 204: 1, 202: 1, 400: 1, 401: 1, 404: 1, 501: 2, 500: 2, 503: 2, 429: 2, 408: 2, 302: 2, 304: 2} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, nil)
			r.app.status(code)
			r.end(t)
			r.until(t, "the first call", 0, func() bool { return len(r.app.received()) >= 1 })
			r.app.status(http.StatusOK)
			r.until(t, "the queue", time.Second, r.empty(t))
			if got := len(r.app.received()); got != informed {
				t.Errorf("it was called %d times, want %d", got, informed)
			}
			want := []string(nil)
			if code >= 400 && informed == 1 {
				want = []string{"refused"}
			}
			if got := r.events(t); !slices.Equal(got, want) {
				t.Errorf("got events %v, want %v", got, want)
			}
		})
	}
}

// An app that is down is called less and less often, one logout at a time, and gets all of them when it is back. Each has a token that
// is good at that moment.
func TestAppThatIsDown(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.app.status(http.StatusInternalServerError)
	for range 20 {
		r.end(t)
	}
	r.until(t, "the first calls", 0, func() bool { return len(r.app.received()) >= 1 })
	begun := r.Clock.Now()
	for r.Clock.Now().Sub(begun) < 10*time.Minute {
		r.Move(t, 10*time.Second)
		time.Sleep(10 * time.Millisecond)
	}
	if got := len(r.app.received()); got > 8+20 {
		t.Errorf("it was called %d times while it was down", got)
	}
	if got := r.queue(t).Length; got != 20 {
		t.Errorf("%d logouts are in the queue", got)
	}
	r.app.status(http.StatusOK)
	before := len(r.app.received())
	r.until(t, "the queue", 10*time.Second, r.empty(t))
	sessions := map[any]bool{}
	for _, raw := range r.app.received()[before:] {
		_, claims := servertest.DecodeJWT(t, raw)
		sessions[claims["sid"]] = true
		if issued := time.Unix(int64(claims["iat"].(float64)), 0); issued.Before(begun.Add(9 * time.Minute)) {
			t.Errorf("a token is from %s, before the app was back", issued)
		}
	}
	if len(sessions) != 20 || len(r.events(t)) != 0 {
		t.Errorf("%d sessions", len(sessions))
	}
}

// After a day the app is not informed any more.
func TestLogoutExpires(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.app.status(http.StatusBadGateway)
	r.end(t)
	r.until(t, "the queue", time.Hour, r.empty(t))
	if got := r.events(t); !slices.Equal(got, []string{"expired"}) {
		t.Errorf("got events %v", got)
	}
}

// A redirect to a private address, an answer that never ends, HTML, a body of 10 MB: none costs more than the timeout, and none is followed
// or kept.
func TestHostileApp(t *testing.T) {
	t.Parallel()
	var inside atomic.Int64
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	t.Cleanup(private.Close)
	big := strings.Repeat("canary <html> ", 1<<20)
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		taken  bool
	}{
		"a redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", private.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, false},
		"an answer that does not come": {func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }, false},
		"a body that does not end": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "canary")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, true},
		"10 MB of HTML": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, big) }, true},
		"a huge header": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", big[:1<<20]) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *backchannel.Settings) { s.Timeout = 200 * time.Millisecond })
			r.app.answers(tc.answer)
			r.end(t)
			if tc.taken {
				r.until(t, "the queue", 0, r.empty(t))
			} else {
				r.until(t, "the line in the log", 0, func() bool { return strings.Contains(r.Log.String(), "cannot be informed") })
				if got := r.queue(t).Length; got != 1 {
					t.Errorf("%d logouts are in the queue", got)
				}
			}
			if strings.Contains(r.Log.String(), "canary") {
				t.Error("the log has the body")
			}
		})
	}
	t.Cleanup(func() {
		if inside.Load() != 0 {
			t.Error("the redirect was followed")
		}
	})
}

// No address of a private network is called unless its network is named.
func TestPrivateNetwork(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *backchannel.Settings) {
		s.HTTP = outbound.Dialer{Setting: "backchannel_logout.networks"}.Client(nil)
	})
	r.end(t)
	r.until(t, "the line in the log", 0, func() bool {
		return strings.Contains(r.Log.String(), "name that network in backchannel_logout.networks")
	})
	if got := r.app.received(); len(got) != 0 {
		t.Errorf("the app was called: %q", got)
	}
}

// A client that has no URI any more is not informed of what is still in the queue.
func TestClientWithoutURI(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	r.app.status(http.StatusServiceUnavailable)
	r.end(t)
	r.until(t, "the first call", 0, func() bool { return len(r.app.received()) == 1 })
	r.SetClient(t, servertest.Web, func(c *store.Client) { c.BackchannelLogoutURI = "" })
	r.until(t, "the queue", time.Second, r.empty(t))
	if calls, events := len(r.app.received()), r.events(t); calls != 1 || len(events) != 0 {
		t.Errorf("got %d calls and events %v", calls, events)
	}
}

// A delivery that is under way when the server stops is due again at once.
func TestStop(t *testing.T) {
	t.Parallel()
	r := &rig{servertest.New(t, func(cfg *server.Config) {
		cfg.BackChannel = backchannel.Settings{HTTP: loopback.Client(nil), Timeout: time.Minute, Poll: 10 * time.Millisecond}
	}), newApp(t)}
	r.SetClient(t, servertest.Web, func(c *store.Client) { c.BackchannelLogoutURI = r.app.URL })
	under := make(chan struct{})
	r.app.answers(func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		close(under)
		<-req.Context().Done()
	})
	stop := r.run(t)
	r.end(t)
	<-under
	stop()
	r.app.status(http.StatusOK)
	r.run(t)
	r.until(t, "the queue", 0, r.empty(t))
	if got := len(r.app.received()); got != 2 {
		t.Errorf("it was called %d times", got)
	}
}

// The metadata has that apps are informed, where they are.
func TestMetadata(t *testing.T) {
	t.Parallel()
	with, without := newRig(t, nil), servertest.New(t, nil)
	a := with.Call(t, "GET", "/.well-known/openid-configuration").Wants(200, "")
	b := without.Call(t, "GET", "/.well-known/openid-configuration").Wants(200, "")
	for _, member := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported"} {
		if a.JSON[member] != true || b.JSON[member] != nil {
			t.Errorf("%s: got %v and %v", member, a.JSON[member], b.JSON[member])
		}
	}
}
