package keys

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/clockcheck"
	"signet/keys/masterkey"
)

// memoryMark is a MarkStorage that can be made to fail.
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
		return errDown
	}
	m.text = bytes.Clone(text)
	m.saves++
	return nil
}

func markedConfig(s Storage, c *clock, mark MarkStorage) Config {
	cfg := testConfig(s, c)
	cfg.Mark = mark
	return cfg
}

func wantMarkError(t *testing.T, err error, want MarkProblem) {
	t.Helper()
	var e *MarkError
	if !errors.As(err, &e) || e.Problem != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestMarkRefusesAnOldKeyring: after a revocation the old document is put back while nothing runs.
func TestMarkRefusesAnOldKeyring(t *testing.T) {
	s, c, mark := &memory{}, newClock(), &memoryMark{}
	m := mustOpen(t, markedConfig(s, c, mark))
	version, document := s.get()
	_, kid := mustSign(t, m, "")
	if _, err := m.Revoke(t.Context(), kid, RevokeOptions{Emergency: true}); err != nil {
		t.Fatal(err)
	}
	s.set(version, document)
	_, err := Open(t.Context(), markedConfig(s, c, mark))
	wantMarkError(t, err, MarkNewer)
	if got, _ := s.get(); got != version {
		t.Error("a start that was refused has changed the keyring")
	}

	// The same keyring under a higher number, as somebody with the master key could make it.
	old, err := Open(t.Context(), testConfig(s, c))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := old.write(t.Context(), version, version+5, old.state.Load().ring, 0); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), markedConfig(s, c, mark))
	wantMarkError(t, err, MarkRevoked)
}

// TestMarkMustFit: a mark of another install, one that was changed, and one of another master key.
func TestMarkMustFit(t *testing.T) {
	s, c, mark := &memory{}, newClock(), &memoryMark{}
	mustOpen(t, markedConfig(s, c, mark))
	good := mark.text
	open := func(text string, master ...masterkey.Key) error {
		cfg := markedConfig(s, c, &memoryMark{text: []byte(text)})
		if master != nil {
			cfg.Master = master
		}
		_, err := Open(t.Context(), cfg)
		return err
	}
	wantMarkError(t, open(strings.Replace(string(good), `"version":1`, `"version":0`, 1)), MarkUnproved)
	wantMarkError(t, open("{}"), MarkDamaged)
	wantMarkError(t, open(""), MarkDamaged)
	wantMarkError(t, open(string(good[:len(good)/2])), MarkDamaged)
	foreign := &memoryMark{}
	other := markedConfig(&memory{}, c, foreign)
	other.InstallID = "install-2"
	mustOpen(t, other)
	wantMarkError(t, open(string(foreign.text)), MarkForeign)

	if err := open(string(good), testMaster(2), testMaster(1)); err != nil {
		t.Errorf("with the new and the old master key: %v", err)
	}
	both := testConfig(s, c)
	both.Master = []masterkey.Key{testMaster(2), testMaster(1)}
	both.Mark = mark
	m, err := Open(t.Context(), both)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := open(string(mark.text), testMaster(2)); err != nil {
		t.Errorf("after Rewrap, with the new master key alone: %v", err)
	}
}

// TestMarkIsWritten: at each change of the keyring, and for the time once a minute; a replica that cannot
// write goes on, and says so once.
func TestMarkIsWritten(t *testing.T) {
	s, c, mark := &memory{}, newClock(), &memoryMark{}
	m := mustOpen(t, markedConfig(s, c, mark))
	saves := mark.saves
	for range 30 {
		c.advance(10 * time.Second)
		mustStep(t, m)
	}
	if got := mark.saves - saves; got < 4 || got > 6 {
		t.Errorf("the time was written %d times in five minutes, want about once a minute", got)
	}
	saves = mark.saves
	if _, err := m.RotateNow(t.Context(), ""); err != nil || mark.saves == saves {
		t.Errorf("a change was not written: %v", err)
	}
	mark.fails = true
	if _, err := m.RotateNow(t.Context(), ""); err != nil {
		t.Errorf("without a place for the mark: %v", err)
	}
	mustSign(t, m, "")
}

// TestMarkFile: the file is private, is replaced whole, and nothing is left beside it.
func TestMarkFile(t *testing.T) {
	dir := t.TempDir()
	f := MarkFile(filepath.Join(dir, "keyring.mark"))
	if text, err := f.LoadMark(); text != nil || err != nil {
		t.Errorf("of no file: %q, %v", text, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.SaveMark([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.LoadMark(); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("in the directory: %v, %v", files, err)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if err := MarkFile(filepath.Join(dir, "missing", "keyring.mark")).SaveMark(nil); err == nil {
		t.Error("a directory that is not there: no error")
	}
}

// TestClockBehind: a clock that is behind the latest time seen by more than S signs, verifies and plans
// nothing; the key set is served, and nothing in it moves backwards. It needs no other clock to notice.
func TestClockBehind(t *testing.T) {
	for _, by := range []time.Duration{70 * time.Second, time.Hour, 24 * time.Hour} {
		for _, restarted := range []bool{false, true} {
			s, c, mark, ev := &memory{}, newClock(), &memoryMark{}, &events{}
			cfg := markedConfig(s, c, mark)
			cfg.OnEvent = ev.add
			m := mustOpen(t, cfg)
			_, leaked := mustSign(t, m, "")
			c.advance(time.Hour)
			if _, err := m.Revoke(t.Context(), leaked, RevokeOptions{Emergency: true}); err != nil {
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
			if _, err := m.RotateNow(t.Context(), ""); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("RotateNow: got %v, want clockcheck.ErrClock", err)
			}
			if m.clock.Behind() < by-time.Second || m.Ready() == nil {
				t.Errorf("behind by %v, ready: %v", m.clock.Behind(), m.Ready())
			}
			if m.publishes(leaked) || !m.publishes(signer) || m.find(t, leaked).State != Revoked || m.find(t, signer).State != Active {
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
	s, c := &memory{}, newClock()
	marks := []*memoryMark{{}, {}}
	var replicas []*Manager
	for _, mark := range marks {
		replicas = append(replicas, mustOpen(t, markedConfig(s, c, mark)))
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
	r, err := replicas[0].ResetClock(t.Context())
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
	if r, err := replicas[1].ResetClock(t.Context()); err != nil || r.Changed {
		t.Errorf("asked again: got %+v, %v, want nothing done", r, err)
	}
	c.advance(DefaultTimetable().Publish + time.Hour)
	mustStep(t, replicas[0])
	if _, err := replicas[0].Rotate(t.Context(), ""); err != nil {
		t.Errorf("a rotation after it: %v", err)
	}
}

// TestRevocationIsMerged: a newer keyring in which a key is in use that this replica knows to be revoked
// does not bring it back, and the keyring in the store is put right.
func TestRevocationIsMerged(t *testing.T) {
	s, c := &memory{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	other := mustOpen(t, testConfig(s, c))
	_, leaked := mustSign(t, m, "")
	if _, err := m.Revoke(t.Context(), leaked, RevokeOptions{Emergency: true}); err != nil {
		t.Fatal(err)
	}
	// The other replica has not read of it, and writes over it as if the store had lost it.
	old := other.state.Load()
	ring := old.ring.clone()
	for _, k := range m.state.Load().ring.Keys {
		if !ring.has(k.KID) {
			ring.Keys = append(ring.Keys, k)
		}
	}
	if _, swapped, err := other.write(t.Context(), m.Version(), m.Version()+1, ring, 0); err != nil || !swapped {
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
		s, c := &memory{}, newClock()
		cfg := markedConfig(s, c, &memoryMark{})
		if err := Init(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		m, err := Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		highest := map[string]State{}
		removed := map[string]bool{}
		for range d.index("steps", 30) + 1 {
			switch d.index("do", 8) {
			case 0, 1:
				c.advance(d.moment("ahead", 30*24*time.Hour))
			case 2, 3:
				c.advance(-d.moment("back", 3*24*time.Hour))
			case 4:
				_, _ = m.RotateNow(t.Context(), "")
			case 5:
				all := m.Keys()
				_, _ = m.Revoke(t.Context(), all[d.index("key", len(all))].KID, RevokeOptions{Emergency: true})
			case 6:
				if m, err = Open(t.Context(), cfg); err != nil {
					t.Fatal(err)
				}
			case 7:
				_, _ = m.ResetClock(t.Context())
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
					if rank(state) >= rank(Removed) && bytes.Contains(set.Body, []byte(kid)) {
						t.Fatalf("%s is %s and published", kid, state)
					}
				}
			}
		}
	})
}
