package keys

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/clockcheck"
	"signet/keys/keystest"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// memoryMark is a mark.Storage that can be made to fail.
type memoryMark struct {
	mu    sync.Mutex
	text  []byte
	fails bool
	saves int
}

func (m *memoryMark) LoadMark() ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.text), nil
}

func (m *memoryMark) SaveMark(text []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails {
		return keystest.ErrDown
	}
	m.text = bytes.Clone(text)
	m.saves++
	return nil
}

func markedConfig(s Storage, c *clock, storage mark.Storage) Config {
	cfg := testConfig(s, c)
	cfg.Mark = storage
	return cfg
}

func wantMarkError(t *testing.T, err error, want mark.Problem) {
	t.Helper()
	var e *mark.Error
	if !errors.As(err, &e) || e.Problem != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestMarkRefusesAnOldKeyring: after a revocation the old document is put back while nothing runs.
func TestMarkRefusesAnOldKeyring(t *testing.T) {
	s, c, saved := &keystest.Storage{}, newClock(), &memoryMark{}
	m := mustOpen(t, markedConfig(s, c, saved))
	version, document := s.Get()
	_, kid := mustSign(t, m, "")
	if _, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true}); err != nil {
		t.Fatal(err)
	}
	s.Set(version, document)
	_, err := Open(t.Context(), markedConfig(s, c, saved))
	wantMarkError(t, err, mark.Newer)
	if got, _ := s.Get(); got != version {
		t.Error("a start that was refused has changed the keyring")
	}

	// The same keyring under a higher number, as an attacker with the master key could make it.
	old, err := Open(t.Context(), testConfig(s, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := old.store.write(t.Context(), version, version+5, old.held.load().Document, 0); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), markedConfig(s, c, saved))
	wantMarkError(t, err, mark.Revoked)
}

// TestMarkMustFit: a mark of another install, one that was changed, and one of another master key.
func TestMarkMustFit(t *testing.T) {
	s, c, saved := &keystest.Storage{}, newClock(), &memoryMark{}
	mustOpen(t, markedConfig(s, c, saved))
	good := saved.text
	open := func(text string, master ...masterkey.Key) error {
		cfg := markedConfig(s, c, &memoryMark{text: []byte(text)})
		if master != nil {
			cfg.Master = master
		}
		_, err := Open(t.Context(), cfg)
		return err
	}
	wantMarkError(t, open(strings.Replace(string(good), `"version":1`, `"version":0`, 1)), mark.Unproved)
	wantMarkError(t, open("{}"), mark.Damaged)
	wantMarkError(t, open(""), mark.Damaged)
	wantMarkError(t, open(string(good[:len(good)/2])), mark.Damaged)
	foreign := &memoryMark{}
	other := markedConfig(&keystest.Storage{}, c, foreign)
	other.InstallID = "install-2"
	mustOpen(t, other)
	wantMarkError(t, open(string(foreign.text)), mark.Foreign)

	if err := open(string(good), testMaster(2), testMaster(1)); err != nil {
		t.Errorf("with the new and the old master key: %v", err)
	}
	both := testConfig(s, c)
	both.Master = []masterkey.Key{testMaster(2), testMaster(1)}
	both.Mark = saved
	m, err := Open(t.Context(), both)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Edit().Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := open(string(saved.text), testMaster(2)); err != nil {
		t.Errorf("after Rewrap, with the new master key alone: %v", err)
	}
}

// TestMarkIsWritten: at each change of the keyring, and for the time once a minute; a replica that cannot
// write continues, and reports it once.
func TestMarkIsWritten(t *testing.T) {
	s, c, saved := &keystest.Storage{}, newClock(), &memoryMark{}
	m := mustOpen(t, markedConfig(s, c, saved))
	saves := saved.saves
	for range 30 {
		c.advance(10 * time.Second)
		mustStep(t, m)
	}
	if got := saved.saves - saves; got < 4 || got > 6 {
		t.Errorf("the time was written %d times in five minutes, want about once a minute", got)
	}
	saves = saved.saves
	if _, err := m.Edit().RotateNow(t.Context(), ""); err != nil || saved.saves == saves {
		t.Errorf("a change was not written: %v", err)
	}
	saved.fails = true
	if _, err := m.Edit().RotateNow(t.Context(), ""); err != nil {
		t.Errorf("without a place for the mark: %v", err)
	}
	mustSign(t, m, "")
}

// TestClockBehind: a clock that is behind the latest time seen by more than S signs, verifies and plans
// nothing; the key set is served, and nothing in it moves backwards. It needs no other clock to notice.
func TestClockBehind(t *testing.T) {
	for _, by := range []time.Duration{70 * time.Second, time.Hour, 24 * time.Hour} {
		for _, restarted := range []bool{false, true} {
			s, c, saved, ev := &keystest.Storage{}, newClock(), &memoryMark{}, &events{}
			cfg := markedConfig(s, c, saved)
			cfg.OnEvent = ev.add
			m := mustOpen(t, cfg)
			_, leaked := mustSign(t, m, "")
			c.advance(time.Hour)
			if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{Emergency: true}); err != nil {
				t.Fatal(err)
			}
			token, signer := mustSign(t, m, "")
			c.advance(-by)
			if restarted {
				var err error
				if m, err = Open(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			}
			mustStep(t, m)
			mustStep(t, m)
			if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Sign: got %v, want clockcheck.ErrClock", err)
			}
			var claims any
			if _, err := m.Verify(token, "at+jwt", &claims); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Verify: got %v, want clockcheck.ErrClock", err)
			}
			if _, err := m.Edit().RotateNow(t.Context(), ""); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("RotateNow: got %v, want clockcheck.ErrClock", err)
			}
			if m.clock.Behind() < by-time.Second || m.Ready() == nil {
				t.Errorf("behind by %v, ready: %v", m.clock.Behind(), m.Ready())
			}
			if m.publishes(leaked) || !m.publishes(signer) || m.find(t, leaked).State != rotation.Revoked || m.find(t, signer).State != rotation.Active {
				t.Errorf("a key moved backwards by a step of %v: %+v", by, m.Keys())
			}
			c.advance(by)
			mustStep(t, m)
			mustSign(t, m, "")
			if off, right := ev.count(StepClockOff), ev.count(StepClockRight); off != 1 || right != 1 {
				t.Errorf("told %d times that it is behind and %d times that it is right, want once each", off, right)
			}
		}
	}
}

// TestResetClock: the way out after a clock that was ten years ahead, for the replica that is asked and
// for the others, over restarts; no key moves backwards.
func TestResetClock(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	marks := []*memoryMark{{}, {}}
	var replicas []*Manager
	for _, saved := range marks {
		replicas = append(replicas, mustOpen(t, markedConfig(s, c, saved)))
	}
	const years = 10 * 365 * 24 * time.Hour
	c.advance(years)
	for _, m := range replicas {
		mustStep(t, m)
	}
	_, signer := mustSign(t, replicas[0], "")
	before := replicas[0].Keys()
	c.advance(-years)
	for _, m := range replicas {
		mustStep(t, m)
		if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, clockcheck.ErrClock) {
			t.Fatalf("got %v, want clockcheck.ErrClock", err)
		}
	}
	r, err := replicas[0].Edit().ResetClock(t.Context())
	if err != nil || !r.Changed {
		t.Fatalf("got %+v, %v", r, err)
	}
	for i, m := range replicas {
		mustStep(t, m)
		if _, kid := mustSign(t, m, ""); kid != signer {
			t.Errorf("replica %d signs with %s, want %s", i, kid, signer)
		}
		for _, k := range before {
			if now := m.find(t, k.KID); rank(now.State) < rank(k.State) {
				t.Errorf("replica %d: %s moved from %s to %s", i, k.KID, k.State, now.State)
			}
		}
		again, err := Open(t.Context(), markedConfig(s, c, marks[i]))
		if err != nil {
			t.Fatal(err)
		}
		mustSign(t, again, "")
	}
	if r, err := replicas[1].Edit().ResetClock(t.Context()); err != nil || r.Changed {
		t.Errorf("asked again: got %+v, %v, want nothing done", r, err)
	}
	c.advance(timetable.Default().Publish + time.Hour)
	mustStep(t, replicas[0])
	if _, err := replicas[0].Edit().Rotate(t.Context(), ""); err != nil {
		t.Errorf("a rotation after it: %v", err)
	}
}

// TestRevocationIsMerged: a newer keyring in which a key is in use that was revoked at this replica
// does not bring it back, and the keyring in the store is put right.
func TestRevocationIsMerged(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	other := mustOpen(t, testConfig(s, c))
	_, leaked := mustSign(t, m, "")
	if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{Emergency: true}); err != nil {
		t.Fatal(err)
	}
	// The other replica has not read of it, and writes over it as if the store had lost it.
	old := other.held.load()
	ring := old.Ring.Clone()
	for _, k := range m.held.load().Ring.Keys {
		if !ring.Has(k.KID) {
			ring.Keys = append(ring.Keys, k)
		}
	}
	if _, swapped, err := other.store.write(t.Context(), m.Version(), m.Version()+1, old.Document.With(ring, m.held.load().Private), 0); err != nil || !swapped {
		t.Fatal(swapped, err)
	}
	mustStep(t, m)
	if m.publishes(leaked) {
		t.Fatal("a replica that knew of the revocation publishes the key again")
	}
	mustStep(t, m)
	mustStep(t, other)
	if other.publishes(leaked) || other.Version() != m.Version() {
		t.Error("the keyring in the store was not put right")
	}
	mustSign(t, m, "")
}

// TestSteppedClockProperty: a manager with a mark, whose clock is stepped and which is restarted at
// random. No key that it serves ever moves backwards.
func TestSteppedClockProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draws{t}
		s, c := &keystest.Storage{}, newClock()
		cfg := markedConfig(s, c, &memoryMark{})
		if err := Init(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		highest := map[string]rotation.State{}
		removed := map[string]bool{}
		for range d.index("steps", 30) + 1 {
			switch d.index("do", 8) {
			case 0, 1:
				c.advance(d.moment("ahead", 30*24*time.Hour))
			case 2, 3:
				c.advance(-d.moment("back", 3*24*time.Hour))
			case 4:
				_, _ = m.Edit().RotateNow(t.Context(), "")
			case 5:
				all := m.Keys()
				_, _ = m.Edit().Revoke(t.Context(), all[d.index("key", len(all))].KID, rotation.RevokeOptions{Emergency: true})
			case 6:
				if m, err = Open(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			case 7:
				_, _ = m.Edit().ResetClock(t.Context())
			}
			_ = m.Step(t.Context())
			seen := map[string]bool{}
			for _, k := range m.Keys() {
				seen[k.KID] = true
				if rank(k.State) < rank(highest[k.KID]) || removed[k.KID] {
					t.Fatalf("%s moved from %s (gone: %v) to %s", k.KID, highest[k.KID], removed[k.KID], k.State)
				}
				highest[k.KID] = k.State
			}
			for kid := range highest {
				removed[kid] = removed[kid] || !seen[kid]
			}
			if set, err := m.JWKS(); err == nil {
				for kid, state := range highest {
					if rank(state) >= rank(rotation.Removed) && bytes.Contains(set.Body, []byte(kid)) {
						t.Fatalf("%s is %s and published", kid, state)
					}
				}
			}
		}
	})
}
