package keys

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/keys/document"
	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

var (
	testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// clock is a time that a test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: testStart} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// events collects what a Manager reports.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) add(ev Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) count(s rotation.Step) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if ev.Step == s {
			n++
		}
	}
	return n
}

// Of the head of a sealed document.
const (
	documentFormat = 4  // the place of the format
	documentHead   = 13 // bytes before the nonce
)

// testMaster is a fixed key, so that failures repeat.
func testMaster(n byte) masterkey.Key {
	raw := [32]byte{31: n}
	k, err := masterkey.Parse("signet_mk_" + base64.RawURLEncoding.EncodeToString(raw[:]))
	if err != nil {
		panic(err)
	}
	return k
}

func testConfig(s Storage, c *clock) Config {
	return Config{Storage: s, InstallID: "install-1", Master: []masterkey.Key{testMaster(1)}, Now: c.now}
}

// mustOpen makes the keyring if there is none and opens it.
func mustOpen(t testing.TB, cfg Config) *Manager {
	t.Helper()
	if err := Init(t.Context(), cfg); err != nil && !errors.Is(err, ErrExists) {
		t.Fatalf("Init: %v", err)
	}
	m, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return m
}

// everyAlgorithm returns a Manager with all algorithms, which tests share and do not change: its RSA keys take a while.
func everyAlgorithm(t testing.TB) *Manager {
	t.Helper()
	m, err := sharedManager()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var sharedManager = sync.OnceValues(func() (*Manager, error) {
	cfg := testConfig(&keystest.Storage{}, newClock())
	cfg.Algorithms = slices.Clone(jose.Algorithms)
	if err := Init(context.Background(), cfg); err != nil {
		return nil, err
	}
	return Open(context.Background(), cfg)
})

func mustStep(t testing.TB, m *Manager) {
	t.Helper()
	if err := m.Step(t.Context()); err != nil {
		t.Fatalf("Step: %v", err)
	}
}

func mustSign(t testing.TB, m *Manager, alg string) (token, kid string) {
	t.Helper()
	token, kid, err := m.Sign(t.Context(), alg, "at+jwt", map[string]string{"sub": "somebody"})
	if err != nil {
		t.Fatalf("Sign(%q): %v", alg, err)
	}
	return token, kid
}

// setKIDs lists the kids of a served key set, in order.
func setKIDs(t testing.TB, s JWKS) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			Kid string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(s.Body, &set); err != nil {
		t.Fatalf("key set %q: %v", s.Body, err)
	}
	var kids []string
	for _, k := range set.Keys {
		kids = append(kids, k.Kid)
	}
	return kids
}

func activeOf(r rotation.Keyring, alg string, now time.Time) []rotation.Key {
	return slices.DeleteFunc(r.At(now).Active, func(k rotation.Key) bool { return k.Alg != alg })
}

// rank orders the states that a key goes through.
func rank(s rotation.State) int {
	return map[rotation.State]int{rotation.Pending: 0, rotation.Active: 1, rotation.Retired: 2, rotation.Removed: 3, rotation.Revoked: 4}[s]
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// newDocument is the document of a new install.
func newDocument(t testing.TB, tt timetable.Timetable, algs []string) document.Document {
	t.Helper()
	m, err := newManager(Config{Storage: &keystest.Storage{}, InstallID: "x", Master: []masterkey.Key{testMaster(1)}, Timetable: tt, Algorithms: algs, Now: func() time.Time { return testStart }})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := firstDocument(t.Context(), m.cfg, newPendingKeys(privatekey.NewSource(privatekey.Remote{}, time.Minute), m.cfg.Log))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pkcs8Of returns the private key of a local key.
func pkcs8Of(t testing.TB, k *privatekey.Key) []byte {
	t.Helper()
	stored, err := k.Stored()
	if err != nil {
		t.Fatal(err)
	}
	return stored.PKCS8.Reveal()
}

// signerOf returns what golang-jwt signs with.
func signerOf(t testing.TB, k *privatekey.Key) any {
	t.Helper()
	signer, err := x509.ParsePKCS8PrivateKey(pkcs8Of(t, k))
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
