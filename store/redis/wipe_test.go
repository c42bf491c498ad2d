package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/store"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// running is one replica of Signet as far as the store and the signing keys go.
type running struct {
	*Store
	keys *keys.Manager

	mu    sync.Mutex
	steps map[rotation.Step]int // guarded by mu
}

// house is what the replicas of one install have in common.
type house struct {
	install store.Install
	master  masterkey.Key
	cfg     Config
}

func newHouse(t *testing.T, addr string) house {
	t.Helper()
	h := house{
		install: store.Install{ID: fmt.Sprintf("%x", randomID()), Schema: Schema, CreatedAt: begun},
		master:  masterkey.New(),
		cfg:     Config{Addrs: []string{addr}, ReplicaPoll: 50 * time.Millisecond, Timeout: time.Second},
	}
	s := mustOpen(t, h.cfg)
	if err := s.CreateInstall(t.Context(), h.install); err != nil {
		t.Fatal(err)
	}
	if err := keys.Init(t.Context(), h.keys(s)); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h house) keys(s *Store) keys.Config {
	return keys.Config{Storage: s, InstallID: h.install.ID, Master: []masterkey.Key{h.master}, Poll: 50 * time.Millisecond}
}

func (h house) replica(t *testing.T) *running {
	t.Helper()
	r := &running{Store: mustOpen(t, h.cfg), steps: map[rotation.Step]int{}}
	cfg := h.keys(r.Store)
	cfg.OnEvent = func(e keys.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.steps[e.Step]++
	}
	var err error
	if r.keys, err = keys.Open(t.Context(), cfg); err != nil {
		t.Fatalf("opening the keyring: %v", err)
	}
	return r
}

// run keeps the keyring until the test ends.
func (r *running) run(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.keys.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
}

func (r *running) count(s rotation.Step) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.steps[s]
}

func (r *running) kids() (kids []string) {
	for _, k := range r.keys.Keys() {
		kids = append(kids, k.KID)
	}
	return kids
}

// sameKeys fails unless all replicas have these keys, sign with them, and accept each other's tokens.
func sameKeys(t *testing.T, want []string, all ...*running) {
	t.Helper()
	for _, r := range all {
		if got := r.kids(); !slices.Equal(got, want) {
			t.Errorf("keys: got %v, want %v", got, want)
		}
		signed, _, err := r.keys.Sign(t.Context(), "", "at+jwt", map[string]string{"sub": "somebody"})
		if err != nil {
			t.Errorf("Sign: %v", err)
		}
		for _, other := range all {
			if _, err := other.keys.Verify(signed, "at+jwt", &struct{}{}); err != nil {
				t.Errorf("Verify of another replica's token: %v", err)
			}
		}
	}
}

// restartEmpty kills a server and starts it again without its data.
func restartEmpty(s *redistest.Server) {
	s.Kill()
	s.Wipe()
	s.Restart()
}

// TestWiped: a Redis that has lost everything becomes the same install again, with the same keys.
func TestWiped(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	h := newHouse(t, server.Addr())
	a, b := h.replica(t), h.replica(t)
	kids, record, version := a.kids(), server.Do("get", a.deps.Key.Of(layout.Install)), max(a.keys.Version(), b.keys.Version())
	u := seedUser(t, a)
	gone := tokenOf(seedSession(t, a, u.ID))
	a.run(t)
	b.run(t)

	restartEmpty(server)
	redistest.Wait(t, "the keyring to be written back", func() error {
		if a.keys.Version() <= version || a.keys.Version() != b.keys.Version() {
			return fmt.Errorf("the replicas have versions %d and %d", a.keys.Version(), b.keys.Version())
		}
		return errors.Join(a.Ping(t.Context()), b.Ping(t.Context()))
	})
	if got := server.Do("exists", a.deps.Key.User(u.ID)); got != int64(0) {
		t.Fatalf("the server still has a user: it was not wiped")
	}
	if got := server.Do("get", a.deps.Key.Of(layout.Install)); got != record {
		t.Errorf("install: got %v, want %v", got, record)
	}
	c := h.replica(t)
	sameKeys(t, kids, a, b, c)
	if restored, created := a.count(keys.StepRestored)+b.count(keys.StepRestored), a.count(rotation.StepCreated)+b.count(rotation.StepCreated); restored != 1 || created != 0 {
		t.Errorf("got the keyring restored %d times and %d keys made, want 1 and 0", restored, created)
	}
	t.Logf("versions: before %d, after %d, opened afresh %d; %d keys, none new", version, a.keys.Version(), c.keys.Version(), len(kids))

	for _, s := range []*Store{a.Store, b.Store, c.Store} {
		if _, o := mustPresent(t, s, gone); o != store.Gone {
			t.Errorf("a session of before: got %v, want %v", o, store.Gone)
		}
		if _, o := mustPresent(t, s, tokenOf(seedSession(t, s, seedUser(t, s).ID))); o != store.Rotated {
			t.Errorf("a session of afterwards: got %v, want %v", o, store.Rotated)
		}
	}
}

// TestWipedWhileOneIsBehind: the replica that writes back first has an older keyring; the newer wins.
func TestWipedWhileOneIsBehind(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	h := newHouse(t, server.Addr())
	a, b := h.replica(t), h.replica(t)
	if _, err := a.keys.Edit().Rotate(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if a.keys.Version() != 2 || b.keys.Version() != 1 {
		t.Fatalf("got versions %d and %d, want 2 and 1", a.keys.Version(), b.keys.Version())
	}
	planned := a.keys.Keys()

	restartEmpty(server)
	for _, r := range []*running{a, b} {
		if err := r.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("Ping of a wiped Redis: got %v, want %v", err, store.ErrUnavailable)
		}
	}
	for _, r := range []*running{b, a, b} {
		if err := r.keys.Step(t.Context()); err != nil {
			t.Fatalf("Step: %v", err)
		}
	}
	if a.keys.Version() != 3 || b.keys.Version() != 3 {
		t.Errorf("got versions %d and %d, want 3 and 3", a.keys.Version(), b.keys.Version())
	}
	for i, k := range b.keys.Keys() {
		if want := planned[i]; k.KID != want.KID || !k.ActivateAt.Equal(want.ActivateAt) {
			t.Errorf("key %s activates at %v, want %s at %v", k.KID, k.ActivateAt, want.KID, want.ActivateAt)
		}
	}
}

// TestWipedAndTaken: another install is in the place of the one that was wiped before the replicas
// come back. They leave it alone, and take up their work when it has gone.
func TestWipedAndTaken(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	proxy := network.NewProxy(t, server.Addr())
	h := newHouse(t, proxy.Addr())
	a, b := h.replica(t), h.replica(t)
	kids := a.kids()
	k := tokenOf(seedSession(t, a, seedUser(t, a).ID))
	if _, err := a.RevokeSession(t.Context(), k.user, k.session); err != nil { // something to revoke again
		t.Fatal(err)
	}
	if err := a.RevokeToken(t.Context(), "jti", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	a.run(t)
	b.run(t)

	proxy.Cut()
	restartEmpty(server)
	foreign := newHouse(t, server.Addr()).replica(t)
	theirInstall, err := foreign.Install(t.Context())
	must(t, err)
	theirs := tokenOf(seedSession(t, foreign, seedUser(t, foreign).ID))
	before := contents(server)
	proxy.Heal()
	for _, r := range []*running{a, b} {
		redistest.Wait(t, "the replicas to see whose data they are, and the new server", func() error {
			_, _, err := r.LoadKeyring(t.Context())
			if err == nil || !strings.Contains(err.Error(), "install "+theirInstall.ID) {
				return fmt.Errorf("LoadKeyring: %w", err)
			}
			return atLeast(int(r.Stats().MasterChanges), 1)
		})
		_, _, loadErr := r.LoadKeyring(t.Context())
		_, _, _, rotateErr := r.Rotate(t.Context(), store.Rotation{UserID: theirs.user, SessionID: theirs.session, ClientID: app, Now: presented, Lifetimes: long})
		_, swapErr := r.SwapKeyring(t.Context(), foreign.keys.Version(), 100, []byte("ours"))
		for what, err := range map[string]error{"LoadKeyring": loadErr, "Ping": r.Ping(t.Context()), "Rotate": rotateErr, "SwapKeyring": swapErr} {
			if !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s on another install's data: got %v, want %v", what, err, store.ErrUnavailable)
			}
		}
		if err := r.check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if after := contents(server); !maps.Equal(before, after) {
		t.Errorf("another install's data have changed: before\n%q\nafter\n%q", before, after)
	}
	sameKeys(t, kids, a, b)

	restartEmpty(server)
	redistest.Wait(t, "the keyring to be written back", func() error { return errors.Join(a.Ping(t.Context()), b.Ping(t.Context())) })
	sameKeys(t, kids, a, b, h.replica(t))
}

// contents is everything in a server but the key that Ping writes, which means nothing.
func contents(s *redistest.Server) map[string]string {
	all := map[string]string{}
	for _, key := range s.Do("keys", "*").([]any) {
		if name := key.(string); name != layout.Keyspace("signet").Of(layout.Probe) {
			all[name] = fmt.Sprint(s.Do("dump", name))
		}
	}
	return all
}
