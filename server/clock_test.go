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
	s, admin = newAdmin(t, func(cfg *server.Config) {
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

// TestServerWithItsClockOff: it says so and decides nothing, and goes on by itself once its clock is right.
func TestServerWithItsClockOff(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			s, admin := newClocked(t)
			step(t, s)
			tokens := login(t, s)
			access, refresh := tokens.str("access_token"), tokens.str("refresh_token")
			call(t, s, "GET", "/readyz").wants(200, "")
			user, err := s.Store.User(t.Context(), s.UserID)
			if err != nil {
				t.Fatal(err)
			}

			s.Clock.Add(by)
			step(t, s)
			step(t, s)
			ready := call(t, s, "GET", "/readyz").wants(503, "")
			if ready.JSON["clock"] != false || ready.JSON["signing"] != false || ready.JSON["store"] != true || ready.JSON["key_set"] != true {
				t.Errorf("readyz: got %s", ready.Raw)
			}
			for name, a := range map[string]answer{
				"login":              passwordLogin(t, s, servertest.User, servertest.Password).do(),
				"refresh":            form(t, s, "/token", "grant_type=refresh_token", "refresh_token="+refresh).web().do(),
				"client credentials": form(t, s, "/token", "grant_type=client_credentials").web().do(),
				"introspection":      form(t, s, "/introspect", "token="+access).web().do(),
				"revocation":         form(t, s, "/revoke", "token="+refresh).web().do(),
				"userinfo":           call(t, s, "GET", "/userinfo").set("Authorization", "Bearer "+access).do(),
			} {
				if a.Status != 503 || a.str("error") != "temporarily_unavailable" || a.Header.Get("Retry-After") == "" {
					t.Errorf("%s: got %d %s, want 503 with Retry-After", name, a.Status, a.Raw)
				}
			}
			for path, want := range map[string]int{"/healthz": 200, "/.well-known/jwks.json": 200, "/.well-known/oauth-authorization-server": 200} {
				call(t, s, "GET", path).wants(want, "")
			}
			adminCall(t, admin, "POST", "/v1/users/ada/disable", "").wants(503, "unavailable").wantsMessage(t, "nothing was changed: this machine's clock is off: it is 1h0m0s")
			adminCall(t, admin, "DELETE", "/v1/users/ada/sessions", "").wants(503, "unavailable")
			adminCall(t, admin, "POST", "/v1/keys/rotate", "").wants(503, "unavailable")
			for _, path := range []string{"/v1/keys", "/v1/status", "/v1/audit", "/v1/users/ada"} {
				adminCall(t, admin, "GET", path, "").wants(200, "")
			}
			if m := adminCall(t, admin, "GET", "/metrics", "").wants(200, ""); !strings.Contains(m.Raw, "signet_clock_offset_seconds "+fmt.Sprint(by.Seconds())+"\n") {
				t.Error("the metrics do not say by how much the clock is off")
			}
			if e := trail(t, s, "key.clock_off"); e.Detail["offset"] != by.String() || e.Actor != "keyring" {
				t.Errorf("audit: got %+v", e)
			}
			if after, err := s.Store.User(t.Context(), s.UserID); err != nil || after.NotBefore != user.NotBefore || after.UpdatedAt != user.UpdatedAt {
				t.Errorf("the user was changed: %+v, %v", after, err)
			}

			s.Clock.Add(-by)
			step(t, s)
			call(t, s, "GET", "/readyz").wants(200, "")
			form(t, s, "/token", "grant_type=refresh_token", "refresh_token="+refresh).web().wants(200, "")
			trail(t, s, "key.clock_right")
			if n := strings.Count(s.Log.String(), `"msg":"audit","type":"key.clock_`); n != 2 {
				t.Errorf("%d audit lines about the clock, want one when it begins and one when it ends", n)
			}
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
	form(t, s, "/token", "grant_type=client_credentials").web().wants(200, "")
	call(t, s, "GET", "/readyz").wants(200, "")
	hear(s.Clock.Now().Add(time.Hour)) // the other one's clock shows what the storage's does
	step(t, s)
	if c := s.Config.Keys.Clock().Status(); !c.Off || c.Disputed {
		t.Errorf("with both against it: got %+v, want off", c)
	}
	form(t, s, "/token", "grant_type=client_credentials").web().wants(503, "temporarily_unavailable")
	others.failed = errors.New("gone")
	hear(s.Clock.Now())
	others.mu.Lock()
	defer others.mu.Unlock()
	if last := others.asked[len(others.asked)-1]; !last.IsZero() {
		t.Errorf("a replica whose clock is off asks for the heartbeats of after %v, want all", last)
	}
}
