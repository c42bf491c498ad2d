package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/server"
	"signet/server/servertest"
	"signet/server/syntax"
	"signet/store"
)

// clockedKeyring is a storage of the keyring with a clock of its own.
type clockedKeyring struct {
	clock *servertest.Clock

	mu       sync.Mutex
	version  uint64
	document []byte
}

func (k *clockedKeyring) LoadKeyring(context.Context) (uint64, []byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.version, k.document, nil
}

func (k *clockedKeyring) LoadKeyringAt(ctx context.Context) (uint64, []byte, time.Time, error) {
	version, document, err := k.LoadKeyring(ctx)
	return version, document, k.clock.Now(), err
}

func (k *clockedKeyring) SwapKeyring(_ context.Context, old, next uint64, document []byte) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.version != old {
		return false, nil
	}
	k.version, k.document = next, document
	return true, nil
}

// newClocked is a server whose keyring lies where another clock is.
func newClocked(t *testing.T) (s, admin *servertest.Server) {
	t.Helper()
	ring := &clockedKeyring{clock: servertest.NewClock()}
	s, admin = servertest.NewAdmin(t, func(cfg *server.Config) {
		cfg.Keys = ring.open(t, cfg.Now, func(e keys.Event) { s.KeyEvent(e) })
	})
	return s, admin
}

func (k *clockedKeyring) open(t *testing.T, now func() time.Time, onEvent func(keys.Event)) *keys.Manager {
	t.Helper()
	cfg := keys.Config{Storage: k, InstallID: "install", Master: []masterkey.Key{masterkey.New()}, Now: now}
	if err := keys.Init(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	cfg.OnEvent = onEvent
	m, err := keys.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func step(t *testing.T, s *servertest.Server) {
	t.Helper()
	if err := s.Config.Keys.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestServerWithItsClockOff: it reports that and decides nothing, and goes on by itself once its clock is right.
func TestServerWithItsClockOff(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			s, admin := newClocked(t)
			step(t, s)
			tokens := s.Login(t)
			access, refresh := tokens.Str("access_token"), tokens.Str("refresh_token")
			s.Call(t, "GET", "/readyz").Wants(200, "")
			user, err := s.Store.User(t.Context(), s.UserID)
			if err != nil {
				t.Fatal(err)
			}

			s.Clock.Add(by)
			step(t, s)
			step(t, s)
			ready := s.Call(t, "GET", "/readyz").Wants(503, "")
			if !logged(s.Log.String(), "readyz", "level", "WARN") || logged(s.Log.String(), "readyz", "level", "ERROR") {
				t.Error("that it is not ready is no warning in the log")
			}
			if ready.JSON["clock"] != false || ready.JSON["signing"] != false || ready.JSON["store"] != true || ready.JSON["key_set"] != true {
				t.Errorf("readyz: got %s", ready.Raw)
			}
			for name, a := range map[string]servertest.Answer{
				"login":              s.PasswordLogin(t, servertest.User, servertest.Password).Do(),
				"refresh":            s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+refresh).Web().Do(),
				"client credentials": s.Form(t, "/token", "grant_type=client_credentials").Web().Do(),
				"introspection":      s.Form(t, "/introspect", "token="+access).Web().Do(),
				"revocation":         s.Form(t, "/revoke", "token="+refresh).Web().Do(),
				"userinfo":           s.Userinfo(t, access).Do(),
			} {
				if a.Status != 503 || a.Str("error") != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
					t.Errorf("%s: got %d %s, want 503 with Retry-After", name, a.Status, a.Raw)
				}
			}
			for path, want := range map[string]int{"/healthz": 200, "/.well-known/jwks.json": 200, "/.well-known/oauth-authorization-server": 200} {
				s.Call(t, "GET", path).Wants(want, "")
			}
			admin.CallJSON(t, "POST", "/v1/users/ada/disable", "").Wants(503, "unavailable").WantsMessage(t, "nothing was changed: this machine's clock is off: it is 1h0m0s")
			admin.CallJSON(t, "DELETE", "/v1/users/ada/sessions", "").Wants(503, "unavailable")
			admin.CallJSON(t, "POST", "/v1/keys/rotate", "").Wants(503, "unavailable")
			for _, path := range []string{"/v1/keys", "/v1/status", "/v1/audit", "/v1/users/ada"} {
				admin.CallJSON(t, "GET", path, "").Wants(200, "")
			}
			if m := admin.CallJSON(t, "GET", "/metrics", "").Wants(200, ""); !strings.Contains(m.Raw, "signet_clock_offset_seconds "+fmt.Sprint(by.Seconds())+"\n") {
				t.Error("the metrics do not say by how much the clock is off")
			}
			if e := s.AwaitEvent(t, "key.clock_off"); e.Detail["offset"] != by.String() || e.Actor != "keyring" {
				t.Errorf("audit: got %+v", e)
			}
			if after, err := s.Store.User(t.Context(), s.UserID); err != nil || after.NotBefore != user.NotBefore || after.UpdatedAt != user.UpdatedAt {
				t.Errorf("the user was changed: %+v, %v", after, err)
			}

			s.Clock.Add(-by)
			step(t, s)
			s.Call(t, "GET", "/readyz").Wants(200, "")
			s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+refresh).Web().Wants(200, "")
			s.AwaitEvent(t, "key.clock_right")
			if n := strings.Count(s.Log.String(), `"msg":"audit","type":"key.clock_`); n != 2 {
				t.Errorf("%d audit lines about the clock, want one when it begins and one when it ends", n)
			}
		})
	}
}

// TestFrontDoorWithItsClockOff: a server whose clock is a minute off shows a page that asks to come back and decides nothing, whatever the
// step of a login. The same browser goes on when the clock is right, with what it got before.
func TestFrontDoorWithItsClockOff(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{61 * time.Second, -61 * time.Second} { // the timetable of the test tolerates a minute
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			s, _ := newClocked(t)
			s.SetClient(t, servertest.Web, func(c *store.Client) {
				c.Grants, c.RedirectURIs = append(c.Grants, syntax.GrantAuthorizationCode), []string{callback}
			})
			step(t, s)
			b, waiting := newTab(s), newTab(s)
			code := sentTo(t, b.signIn(t), callback).Get("code")
			form := waiting.open(t)
			push := func() *servertest.Request { return s.Form(t, "/par", params(query())...).Web() }
			redeem := func() *servertest.Request {
				return s.Form(t, "/token", "grant_type=authorization_code", "code="+code, "redirect_uri="+callback, "code_verifier="+verifier).Web()
			}
			sessions := func() int {
				list, err := s.Store.ListSessions(t.Context(), s.UserID, s.Clock.Now(), store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				return len(list)
			}

			s.Clock.Add(by)
			step(t, s)
			step(t, s)
			for name, a := range map[string]servertest.Answer{
				"authorize": b.open(t), "sign-in": waiting.send(t, form, servertest.User, servertest.Password),
				"account": b.do(s.Call(t, "GET", "/account")), "logout": b.do(s.Call(t, "GET", "/logout")),
			} {
				isPage(t, a, 503, "")
				if a.Header.Get("Retry-After") == "" || len(a.Header["Set-Cookie"]) > 0 {
					t.Errorf("%s: got %v", name, a.Header)
				}
			}
			push().Wants(503, "temporarily_unavailable")
			redeem().Wants(503, "temporarily_unavailable")

			s.Clock.Add(-by)
			step(t, s)
			if n := sessions(); n != 1 {
				t.Errorf("%d sessions, want that of the first browser alone", n)
			}
			redeem().Wants(200, "")
			push().Wants(201, "")
			opened(t, sentTo(t, waiting.send(t, form, servertest.User, servertest.Password), callback), servertest.Web)
			opened(t, sentTo(t, b.open(t), callback), servertest.Web)
		})
	}
}

// beatingStore has heartbeats of other replicas.
type beatingStore struct {
	store.Store
	mu     sync.Mutex
	beats  []store.Heartbeat
	asked  []time.Time
	failed error
	heard  func()
}

func (b *beatingStore) Beats(_ context.Context, now time.Time) ([]store.Heartbeat, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, now)
	if b.heard != nil {
		b.heard()
	}
	return b.beats, b.failed
}

// TestServerHearsTheOthersClocks: a storage whose clock jumps does not stop replicas that agree.
func TestServerHearsTheOthersClocks(t *testing.T) {
	t.Parallel()
	others := &beatingStore{}
	ring := &clockedKeyring{clock: servertest.NewClock()}
	s := servertest.New(t, func(cfg *server.Config) {
		others.Store, cfg.Store = cfg.Store, others
		cfg.Keys = ring.open(t, cfg.Now, nil)
	})
	hear := func(at time.Time) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		others.mu.Lock()
		others.beats, others.heard = []store.Heartbeat{{Replica: "other", At: at}}, cancel // Run hears at its beginning, and that is all
		others.mu.Unlock()
		s.Run(ctx)
	}
	hear(s.Clock.Now().Add(-2 * time.Second))
	hear(s.Clock.Now().Add(-time.Second))
	ring.clock.Add(time.Hour)
	step(t, s)
	if c := s.Config.Keys.Clock().Status(); c.Off || !c.Disputed {
		t.Errorf("with another replica on its side: got %+v, want the storage disputed", c)
	}
	s.Form(t, "/token", "grant_type=client_credentials").Web().Wants(200, "")
	s.Call(t, "GET", "/readyz").Wants(200, "")
	hear(s.Clock.Now().Add(time.Hour)) // the other one's clock shows what the storage's does
	step(t, s)
	if c := s.Config.Keys.Clock().Status(); !c.Off || c.Disputed {
		t.Errorf("with both against it: got %+v, want off", c)
	}
	s.Form(t, "/token", "grant_type=client_credentials").Web().Wants(503, "temporarily_unavailable")
	others.failed = errors.New("gone")
	hear(s.Clock.Now())
	others.mu.Lock()
	defer others.mu.Unlock()
	if last := others.asked[len(others.asked)-1]; !last.IsZero() {
		t.Errorf("a replica whose clock is off asks for the heartbeats of after %v, want all", last)
	}
}
