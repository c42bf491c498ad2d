package keys

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/keys/keystest"
	"signet/keys/masterkey"
)

var oldMaster, newMaster = testMaster(1), testMaster(2)

// rollout is an install of two replicas on its way from the old master key to the new.
type rollout struct {
	t        *testing.T
	store    *keystest.Storage
	clock    *clock
	replicas [2]*Manager
}

func startRollout(t *testing.T) *rollout {
	r := &rollout{t: t, store: &keystest.Storage{}, clock: newClock()}
	for i := range r.replicas {
		r.restart(i, oldMaster)
	}
	return r
}

// restart starts a replica anew with these master keys, as an operator does.
func (r *rollout) restart(i int, master ...masterkey.Key) {
	r.t.Helper()
	cfg := testConfig(r.store, r.clock)
	cfg.Master = master
	r.replicas[i] = mustOpen(r.t, cfg)
	r.live()
}

// live lets time pass in which a key is due, and checks that both replicas take part in it.
func (r *rollout) live() {
	r.t.Helper()
	r.clock.advance(31 * 24 * time.Hour)
	for i := range 4 {
		m := r.replicas[i%2]
		if m == nil {
			continue
		}
		mustStep(r.t, m)
		mustSign(r.t, m, "")
	}
	if a, b := r.replicas[0], r.replicas[1]; b != nil && a.Version() != b.Version() {
		r.t.Errorf("the replicas hold versions %d and %d", a.Version(), b.Version())
	}
}

// Every order of giving two replicas "new,old", of who rewraps, and of giving them "new", with keys
// rotating all the while: no replica is locked out at any point.
func TestMasterKeyRollout(t *testing.T) {
	for order := range 8 {
		first, rewraps, last := order&1, order>>1&1, order>>2&1
		t.Run(fmt.Sprintf("%d first, %d rewraps, %d done first", first, rewraps, last), func(t *testing.T) {
			r := startRollout(t)
			r.restart(first, newMaster, oldMaster)
			r.restart(1-first, newMaster, oldMaster)
			if got := r.replicas[rewraps].MasterKeyInUse(); got != 1 {
				t.Errorf("before Rewrap the keyring is under key %d, want the old one", got)
			}
			before := r.replicas[0].Keys()
			for i, m := range []*Manager{r.replicas[rewraps], r.replicas[1-rewraps], r.replicas[rewraps]} {
				done, err := m.Edit().Rewrap(t.Context())
				if err != nil || done.Changed != (i == 0) || done.Version != m.Version() {
					t.Errorf("Rewrap %d: got %+v, %v", i, done, err)
				}
				if m.MasterKeyInUse() != 0 {
					t.Errorf("after Rewrap %d the keyring is not under the new key", i)
				}
			}
			if after := r.replicas[0].Keys(); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("Rewrap changed the keys: %v, want %v", after, before)
			}
			r.live()
			r.restart(last, newMaster)
			r.restart(1-last, newMaster)
			cfg := testConfig(r.store, r.clock)
			cfg.Master = []masterkey.Key{oldMaster}
			version, document := r.store.Get()
			if _, err := Open(t.Context(), cfg); !errors.Is(err, masterkey.ErrMismatch) {
				t.Errorf("the old key alone: got %v, want masterkey.ErrMismatch", err)
			}
			if v, d := r.store.Get(); v != version || !bytes.Equal(d, document) {
				t.Error("a wrong key changed the keyring")
			}
		})
	}
}

// However Rewrap is cut short, the keyring opens with "new,old", and doing it again finishes.
func TestRewrapInterrupted(t *testing.T) {
	for name, cut := range map[string]func(*keystest.Storage){
		"before the swap": func(s *keystest.Storage) { s.FailSwap = true },
		"after the swap":  func(s *keystest.Storage) { s.LoseReply = true },
		"store down":      func(s *keystest.Storage) { s.SetDown(true) },
	} {
		t.Run(name, func(t *testing.T) {
			s, c := &keystest.Storage{}, newClock()
			token, kid := mustSign(t, mustOpen(t, testConfig(s, c)), "")
			cfg := testConfig(s, c)
			cfg.Master = []masterkey.Key{newMaster, oldMaster}
			m := mustOpen(t, cfg)
			cut(s)
			if _, err := m.Edit().Rewrap(t.Context()); !errors.Is(err, keystest.ErrDown) {
				t.Errorf("cut short: got %v, want %v", err, keystest.ErrDown)
			}
			s.SetDown(false)
			for _, who := range []*Manager{m, mustOpen(t, cfg)} { // goes on, or was killed and started again
				if _, err := who.Edit().Rewrap(t.Context()); err != nil || who.MasterKeyInUse() != 0 {
					t.Errorf("again: %v, under key %d", err, who.MasterKeyInUse())
				}
				var claims any
				if got, err := who.Verify(token, "at+jwt", &claims); err != nil || got != kid {
					t.Errorf("a token from before: %v", err)
				}
			}
			if s.Swaps != 2 {
				t.Errorf("%d version steps, want Init and one", s.Swaps)
			}
			cfg.Master = []masterkey.Key{newMaster}
			mustOpen(t, cfg)
		})
	}
}

// A replica that lacks the new key neither opens nor overwrites what was rewrapped.
func TestRewrapLeavesBehindWhoLacksTheKey(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	behind := mustOpen(t, testConfig(s, c))
	cfg := testConfig(s, c)
	cfg.Master = []masterkey.Key{newMaster, oldMaster}
	m := mustOpen(t, cfg)
	if _, err := m.Edit().Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	version, document := s.Get()
	if err := behind.Step(t.Context()); !errors.Is(err, masterkey.ErrMismatch) {
		t.Errorf("Step: got %v, want masterkey.ErrMismatch", err)
	}
	if _, err := behind.Edit().Rewrap(t.Context()); !errors.Is(err, masterkey.ErrMismatch) {
		t.Errorf("Rewrap: got %v, want masterkey.ErrMismatch", err)
	}
	if v, d := s.Get(); v != version || !bytes.Equal(d, document) {
		t.Error("it changed the keyring")
	}
	if a, b := m.MasterKeyHints(), behind.MasterKeyHints(); len(a) != 2 || len(b) != 1 || !slices.Contains(a, b[0]) || slices.Index(a, b[0]) != 1 {
		t.Errorf("hints: got %v and %v", a, b)
	}
}

func TestChangedReceivesAdoptions(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m, other := mustOpen(t, testConfig(s, c)), mustOpen(t, testConfig(s, c))
	mustStep(t, other)
	select {
	case <-other.Changed():
		t.Error("news without any")
	default:
	}
	if _, err := m.Edit().RotateNow(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	mustStep(t, other)
	for _, who := range []*Manager{m, other} {
		select {
		case <-who.Changed():
		default:
			t.Error("no news of a new version")
		}
	}
}
