package keys

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
	"unsafe"

	"signet/keys/clockcheck"
	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

func TestInit(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	cfg := testConfig(s, c)
	cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, ErrNoKeyring) {
		t.Errorf("Open of an empty store: got %v, want ErrNoKeyring", err)
	}
	if s.Swaps != 0 {
		t.Errorf("Open of an empty store wrote %d times", s.Swaps)
	}
	m := mustOpen(t, cfg)
	before := bytes.Clone(s.Document)
	if err := Init(t.Context(), cfg); !errors.Is(err, ErrExists) {
		t.Errorf("second Init: got %v, want ErrExists", err)
	}
	if !bytes.Equal(before, s.Document) {
		t.Error("second Init changed the document")
	}
	if got, want := m.Algorithms(), cfg.Algorithms; !slices.Equal(got, want) {
		t.Errorf("algorithms: got %v, want %v", got, want)
	}
	var states []rotation.State
	for _, k := range m.Keys() {
		states = append(states, k.State)
		if !k.Published(c.now()) {
			t.Errorf("key %s (%s, %s) is not published", k.KID, k.Alg, k.State)
		}
	}
	slices.Sort(states)
	if want := []rotation.State{rotation.Active, rotation.Active, rotation.Pending, rotation.Pending}; !slices.Equal(states, want) {
		t.Errorf("states: got %v, want %v", states, want)
	}
}

func TestStoreDown(t *testing.T) {
	s, c, ev := &keystest.Storage{}, newClock(), &events{}
	cfg := testConfig(s, c)
	cfg.OnEvent = ev.add
	m := mustOpen(t, cfg)
	token, _ := mustSign(t, m, "")
	s.SetDown(true)
	tt := timetable.Default()
	for _, tc := range []struct {
		after              time.Duration
		sign, jwks, verify error
	}{
		{tt.SignStale, nil, nil, nil},
		{tt.SignStale + 1, ErrStale, nil, nil},
		{tt.ServeStale, ErrStale, nil, nil},
		{tt.ServeStale + 1, ErrStale, ErrStale, ErrStale},
	} {
		c.advance(testStart.Add(tc.after).Sub(c.now()))
		if err := m.Step(t.Context()); !errors.Is(err, keystest.ErrDown) {
			t.Errorf("after %v: Step: got %v, want %v", tc.after, err, keystest.ErrDown)
		}
		if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, tc.sign) {
			t.Errorf("after %v: Sign: got %v, want %v", tc.after, err, tc.sign)
		}
		if err := m.Ready(); !errors.Is(err, tc.sign) {
			t.Errorf("after %v: Ready: got %v, want %v", tc.after, err, tc.sign)
		}
		if _, err := m.JWKS(); !errors.Is(err, tc.jwks) {
			t.Errorf("after %v: JWKS: got %v, want %v", tc.after, err, tc.jwks)
		}
		var claims any
		if _, err := m.Verify(token, "at+jwt", &claims); !errors.Is(err, tc.verify) {
			t.Errorf("after %v: Verify: got %v, want %v", tc.after, err, tc.verify)
		}
	}
	s.SetDown(false)
	mustStep(t, m)
	mustSign(t, m, "")
	if got := ev.count(StepUnreadable); got != 1 {
		t.Errorf("unreadable was told %d times, want once", got)
	}
	if got := ev.count(StepReadable); got != 1 {
		t.Errorf("readable was told %d times, want once", got)
	}
}

func TestAgeCountsSuspendAndSetBackClocks(t *testing.T) {
	start := time.Now()
	for name, now := range map[string]time.Time{
		"both clocks ran": start.Add(time.Hour),
		"suspended":       shiftMonotonic(start.Add(time.Hour), -time.Hour),
		"clock set back":  shiftMonotonic(start, time.Hour),
	} {
		if got := clockcheck.Age(start, now); got != time.Hour {
			t.Errorf("%s: got %v, want 1h", name, got)
		}
	}
}

// shiftMonotonic returns the time with only its monotonic reading moved, as no caller can but the
// operating system does.
func shiftMonotonic(at time.Time, by time.Duration) time.Time {
	field, ok := reflect.TypeFor[time.Time]().FieldByName("ext")
	if !ok {
		panic("time.Time keeps its monotonic reading elsewhere")
	}
	*(*int64)(unsafe.Add(unsafe.Pointer(&at), field.Offset)) += int64(by)
	return at
}

func TestStoreSetBack(t *testing.T) {
	for _, tc := range []struct {
		name string
		back func(s *keystest.Storage, old uint64, document []byte)
	}{
		{"wiped", func(s *keystest.Storage, _ uint64, _ []byte) { s.Set(0, nil) }},
		{"older version", func(s *keystest.Storage, old uint64, document []byte) { s.Set(old, document) }},
		{"forged older version", func(s *keystest.Storage, _ uint64, _ []byte) { s.Set(1, []byte("forged")) }},
		{"other document of the same number", func(s *keystest.Storage, old uint64, document []byte) { s.Set(old+1, document) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, c, ev := &keystest.Storage{}, newClock(), &events{}
			cfg := testConfig(s, c)
			cfg.OnEvent = ev.add
			m := mustOpen(t, cfg)
			old, document := s.Get()
			c.advance(30*24*time.Hour + time.Second)
			mustStep(t, m)
			_, kid := mustSign(t, m, "")
			had, _ := s.Get()
			if had != old+1 {
				t.Fatalf("a rotation took the version from %d to %d, want one step", old, had)
			}
			tc.back(s, old, document)
			mustStep(t, m)
			now, _ := s.Get()
			if now != had+1 || m.Version() != now {
				t.Errorf("version: got %d in the store and %d here, want %d", now, m.Version(), had+1)
			}
			if got := ev.count(StepRestored); got != 1 {
				t.Errorf("restored was told %d times, want once", got)
			}
			if _, got := mustSign(t, mustOpen(t, cfg), ""); got != kid {
				t.Errorf("a fresh replica signs with %s, want %s", got, kid)
			}
		})
	}
}

func TestDocumentsThatDoNotOpen(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	good := testConfig(s, c)
	mustOpen(t, good)
	version, document := s.Get()
	flipped := bytes.Clone(document)
	flipped[len(flipped)/2] ^= 1
	newer := bytes.Clone(document)
	newer[documentFormat] = masterkey.FormatRemote + 1
	for _, tc := range []struct {
		name     string
		version  uint64
		document []byte
		change   func(*Config)
		want     error
	}{
		{"wrong master key", version, document, func(c *Config) { c.Master = []masterkey.Key{testMaster(2)} }, masterkey.ErrMismatch},
		{"other install", version, document, func(c *Config) { c.InstallID = "install-2" }, masterkey.ErrMismatch},
		{"renumbered", version + 1, document, nil, masterkey.ErrMismatch},
		{"flipped bit", version, flipped, nil, masterkey.ErrMismatch},
		{"cut off", version, document[:len(document)-1], nil, masterkey.ErrMismatch},
		{"only a head", version, document[:documentHead], nil, masterkey.ErrMismatch},
		{"empty", version, nil, nil, masterkey.ErrMismatch},
		{"garbage", version, []byte("garbage"), nil, masterkey.ErrMismatch},
		{"newer format", version, newer, nil, masterkey.ErrFormat},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &keystest.Storage{Version: tc.version, Document: bytes.Clone(tc.document)}
			cfg := good
			cfg.Storage = s
			if tc.change != nil {
				tc.change(&cfg)
			}
			if _, err := Open(t.Context(), cfg); !errors.Is(err, tc.want) {
				t.Errorf("Open: got %v, want %v", err, tc.want)
			}
			if s.Swaps != 0 || !bytes.Equal(s.Document, tc.document) {
				t.Error("Open changed the store")
			}
		})
	}
}

// A document of a higher number that does not open may be a colleague's with a newer master key: it
// is left alone, and this replica runs dry.
func TestRunningReplicaLeavesWhatItCannotOpen(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	s.Set(7, []byte("cannot be opened"))
	c.advance(timetable.Default().SignStale + 1)
	if err := m.Step(t.Context()); !errors.Is(err, masterkey.ErrMismatch) {
		t.Errorf("Step: got %v, want masterkey.ErrMismatch", err)
	}
	if _, document := s.Get(); string(document) != "cannot be opened" {
		t.Error("the document was overwritten")
	}
	if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, ErrStale) {
		t.Errorf("Sign: got %v, want ErrStale", err)
	}
}

func TestTwoMasterKeys(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	cfg := testConfig(s, c)
	mustOpen(t, cfg)
	both := cfg
	both.Master = []masterkey.Key{testMaster(2), testMaster(1)}
	m := mustOpen(t, both)
	c.advance(31 * 24 * time.Hour)
	mustStep(t, m) // writes, but replicas with the old key alone must go on
	if _, err := Open(t.Context(), cfg); err != nil {
		t.Errorf("Open with the old key alone, before Rewrap: %v", err)
	}
	if _, err := m.Edit().Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), cfg); !errors.Is(err, masterkey.ErrMismatch) {
		t.Errorf("Open with the old key alone: got %v, want masterkey.ErrMismatch", err)
	}
	alone := cfg
	alone.Master = []masterkey.Key{testMaster(2)}
	if _, err := Open(t.Context(), alone); err != nil {
		t.Errorf("Open with the new key alone: %v", err)
	}
}

func TestLostReplyIsFoundAndReported(t *testing.T) {
	s, c, ev := &keystest.Storage{}, newClock(), &events{}
	cfg := testConfig(s, c)
	cfg.OnEvent = ev.add
	m := mustOpen(t, cfg)
	c.advance(30*24*time.Hour + time.Minute)
	s.LoseReply = true
	if err := m.Step(t.Context()); !errors.Is(err, keystest.ErrDown) {
		t.Fatalf("Step with a lost reply: got %v, want %v", err, keystest.ErrDown)
	}
	created := ev.count(rotation.StepCreated)
	mustStep(t, m)
	if got := ev.count(rotation.StepCreated); got != created+1 {
		t.Errorf("created was told %d times, want %d", got, created+1)
	}
	if s.Swaps != 2 { // Init and one proposal
		t.Errorf("got %d version steps, want 2", s.Swaps)
	}
}

func TestRotate(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	tt := timetable.Default()
	want := testStart.Add(tt.Publish)
	for range 2 { // twice is once
		got, err := m.Edit().Rotate(t.Context(), "")
		if err != nil || !got.Equal(want) {
			t.Fatalf("Rotate of a young successor: got %v, %v, want %v", got, err, want)
		}
	}
	if s.Swaps != 2 {
		t.Errorf("got %d version steps, want 2", s.Swaps)
	}
	_, old := mustSign(t, m, "")
	c.advance(tt.Publish - time.Minute)
	mustStep(t, m)
	version := m.Version()
	c.advance(time.Minute)
	_, fresh := mustSign(t, m, "") // no step since: the clock alone activates
	if m.Version() != version {
		t.Errorf("version: got %d, want %d", m.Version(), version)
	}
	if fresh == old {
		t.Error("the successor does not sign at its time")
	}
	mustStep(t, m)
	c.advance(tt.Publish * 2)
	got, err := m.Edit().Rotate(t.Context(), jose.ES256)
	if want := c.now().Add(timetable.Default().Notice()); err != nil || !got.Equal(want) {
		t.Errorf("Rotate of an aged successor: got %v, %v, want %v", got, err, want)
	}
	if _, err := m.Edit().Rotate(t.Context(), jose.EdDSA); !errors.Is(err, rotation.ErrAlgorithm) {
		t.Errorf("Rotate of an algorithm that is not live: got %v, want rotation.ErrAlgorithm", err)
	}
}

// A successor whose proposal reached the store after its PublishAt has not been seen since then.
func TestLateProposalIsPutOff(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	cfg := testConfig(s, c)
	cfg.Timetable = timetable.Default()
	cfg.Timetable.Active = cfg.Timetable.Publish
	proposer, witness := mustOpen(t, cfg), mustOpen(t, cfg)
	c.advance(cfg.Timetable.Active + time.Second)
	before, document := s.Get()
	mustStep(t, proposer)
	after, late := s.Get()
	s.Set(before, document) // the proposal is still on its way …
	c.advance(time.Minute)
	witness.cfg.Algorithms = nil // … while this one reads and proposes nothing
	mustStep(t, witness)
	witness.cfg.Algorithms = proposer.cfg.Algorithms
	s.Set(after, late)
	c.advance(time.Minute)
	mustStep(t, witness)
	for _, k := range witness.Keys() {
		if k.State == rotation.Pending && !k.ActivateAt.Equal(c.now().Add(cfg.Timetable.Publish)) {
			t.Errorf("the late successor activates at %v, want %v", k.ActivateAt, c.now().Add(cfg.Timetable.Publish))
		}
	}
}

// swapWatch notes when a swap happens.
type swapWatch struct {
	keystest.Storage
	now func() time.Time
	at  time.Time
}

func (s *swapWatch) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	s.at = s.now()
	return s.Storage.SwapKeyring(ctx, old, next, document)
}

// Wherever in a rotation.Step the machine falls asleep, no plan is written whose first time is over.
func TestPlansAreWrittenBeforeTheirTime(t *testing.T) {
	for sleepAt := range 8 {
		c := newClock()
		s := &swapWatch{now: c.now}
		cfg := testConfig(s, c)
		calls := -1 << 30
		cfg.Now = func() time.Time {
			if calls++; calls == sleepAt {
				c.advance(time.Minute)
			}
			return c.now()
		}
		m := mustOpen(t, cfg)
		c.advance(31 * 24 * time.Hour)
		calls = 0
		mustStep(t, m)
		for _, k := range m.Keys() {
			if k.State == rotation.Pending && k.PublishAt.Before(s.at) {
				t.Errorf("asleep at call %d: published at %v, written at %v", sleepAt, k.PublishAt, s.at)
			}
		}
	}
}
