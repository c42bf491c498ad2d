package e2e

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/store/redis/redistest"
)

// informedApp is the endpoint of an app that is informed of logouts.
type informedApp struct {
	t       *testing.T
	address string

	mu     sync.Mutex
	tokens []string
}

// newInformedApp has an address where nothing listens yet.
func newInformedApp(t *testing.T) *informedApp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &informedApp{t: t, address: l.Addr().String()}
}

func (a *informedApp) uri() string { return "http://" + a.address + "/backchannel-logout" }

// start lets the app answer.
func (a *informedApp) start() {
	a.t.Helper()
	l, err := net.Listen("tcp", a.address)
	if err != nil {
		a.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.tokens = append(a.tokens, r.PostFormValue("logout_token"))
	})}
	go func() { _ = server.Serve(l) }()
	a.t.Cleanup(func() { server.Close() })
}

// sessions verifies the tokens with a library, and returns how often each session was in one.
func (a *informedApp) sessions(issuer, clientID string, keys oidc.KeySet) map[string]int {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	verifier := oidc.NewVerifier(issuer, keys, &oidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{oidc.ES256}})
	times := map[string]int{}
	for _, raw := range a.tokens {
		token, err := verifier.Verify(context.Background(), raw)
		if err != nil {
			a.t.Fatal(err)
		}
		var claims struct {
			SID    string                    `json:"sid"`
			Events map[string]map[string]any `json:"events"`
			Nonce  any                       `json:"nonce"`
		}
		if err := token.Claims(&claims); err != nil {
			a.t.Fatal(err)
		}
		if _, has := claims.Events["http://schemas.openid.net/event/backchannel-logout"]; !has || claims.Nonce != nil || claims.SID == "" || token.Subject == "" {
			a.t.Errorf("got %+v", claims)
		}
		times[claims.SID]++
	}
	return times
}

// TestLogoutOfAnAppThatIsDown: the server is killed between the end of a session and the delivery, while the app is down. The app is
// informed when both are back.
func TestLogoutOfAnAppThatIsDown(t *testing.T) {
	t.Parallel()
	dir, app, l := t.TempDir(), newInformedApp(t), &ledger{t: t}
	p := startDev(t, dir)
	load := l.begin(p)
	p.admin("", "client", "update", p.demo.ClientID, "--backchannel-logout-uri", app.uri())
	refresh := load.login()
	sid := p.sessions()[0].ID
	if status, body, err := load.form("/revoke", url.Values{"client_id": {p.demo.ClientID}, "client_secret": {p.demo.ClientSecret}, "token": {refresh}}); err != nil || status != http.StatusOK {
		t.Fatalf("revoke: got %d %v %v", status, body, err)
	}
	p.kill()

	p = startDev(t, dir)
	app.start()
	keys := oidc.NewRemoteKeySet(t.Context(), p.demo.Issuer+"/.well-known/jwks.json")
	waitFor(t, "the logout token", func() bool { return len(app.sessions(p.demo.Issuer, p.demo.ClientID, keys)) > 0 })
	if got := app.sessions(p.demo.Issuer, p.demo.ClientID, keys); got[sid] != 1 || len(got) != 1 {
		t.Errorf("got sessions %v, want %s", got, sid)
	}
}

// TestReplicasInformOnce: two replicas take turns, and an app is informed once of each session, whichever has ended it.
func TestReplicasInformOnce(t *testing.T) {
	t.Parallel()
	f := startFleet(t, 2, "redis://"+redistest.Start(t, redistest.Config{}).Addr(), "SIGNET_BACKCHANNEL_LOGOUT_NETWORKS=127.0.0.0/8")
	app := newInformedApp(t)
	app.start()
	f.replicas[0].admin("", "client", "update", f.app.ClientID, "--backchannel-logout-uri", app.uri())
	keys := oidc.NewRemoteKeySet(t.Context(), "http://"+f.replicas[0].address+"/.well-known/jwks.json")
	informed := func() map[string]int { return app.sessions(f.app.Issuer, f.app.ClientID, keys) }
	end := func(r *replica) {
		_, refresh := f.login(r)
		r.must("/revoke", f.token(refresh))
	}
	waitFor(t, "the other replica to notice that the client is informed", func() bool {
		end(f.replicas[1])
		return len(informed()) > 0
	})
	const more = 20
	waitFor(t, "what that has begun", func() bool { // none is under way when the count is the same for longer than the queue is asked
		before := len(informed())
		time.Sleep(1500 * time.Millisecond)
		return len(informed()) == before
	})
	before := len(informed())
	for i := range more {
		end(f.replicas[i%2])
	}
	waitFor(t, "the logout tokens", func() bool { return len(informed()) == before+more })
	for sid, n := range informed() {
		if n != 1 {
			t.Errorf("the app was informed %d times of %s", n, sid)
		}
	}
}
