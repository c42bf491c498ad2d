package keys

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/keys/masterkey"
	"signet/keys/rotation"
)

var (
	testStart = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errDown   = errors.New("connection refused")
)

// memory is a Storage that can be made to fail before or after the fact.
type memory struct {
	mu        sync.Mutex
	version   uint64
	document  []byte
	down      bool // every call fails
	loseReply bool // the next swap happens but answers an error
	failSwap  bool // the next swap fails
	swaps     int  // that happened
}

func (s *memory) LoadKeyring(context.Context) (uint64, []byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, nil, errDown
	}
	return s.version, bytes.Clone(s.document), nil
}

func (s *memory) SwapKeyring(_ context.Context, old, next uint64, document []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down || s.failSwap {
		s.failSwap = false
		return false, errDown
	}
	if next <= old {
		return false, errors.New("next is not greater than old")
	}
	if s.version != old {
		return false, nil
	}
	s.version, s.document = next, bytes.Clone(document)
	s.swaps++
	if s.loseReply {
		s.loseReply = false
		return false, errDown
	}
	return true, nil
}

func (s *memory) set(version uint64, document []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version, s.document = version, bytes.Clone(document)
}

func (s *memory) get() (uint64, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, bytes.Clone(s.document)
}

func (s *memory) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

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
func newDocument(t testing.TB, tt rotation.Timetable, algs []string) document {
	t.Helper()
	m, err := newManager(Config{Storage: &memory{}, InstallID: "x", Master: []masterkey.Key{testMaster(1)}, Timetable: tt, Algorithms: algs, Now: func() time.Time { return testStart }})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := firstDocument(t.Context(), m.cfg, newPendingKeys(nil, m.cfg.Log))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
