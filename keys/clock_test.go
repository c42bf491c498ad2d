package keys

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// clocked is a storage with a clock of its own.
type clocked struct {
	keystest.Storage
	clock *clock
	trip  time.Duration // passes before and after the storage looks at its clock
	ours  *clock        // where it passes
	mute  bool          // it has no time
}

func (s *clocked) LoadKeyringAt(ctx context.Context) (uint64, []byte, time.Time, error) {
	s.pass()
	at := s.clock.now()
	if s.mute {
		at = time.Time{}
	}
	s.pass()
	version, document, err := s.LoadKeyring(ctx)
	return version, document, at, err
}

func (s *clocked) pass() {
	if s.trip > 0 {
		s.clock.advance(s.trip)
		s.ours.advance(s.trip)
	}
}

// apart is a Manager whose clock and whose storage's clock move by themselves.
func apart(t *testing.T) (m *Manager, s *clocked, ours *clock, ev *events) {
	t.Helper()
	return apartFrom(t, &clocked{clock: newClock()})
}

func apartFrom(t *testing.T, s *clocked) (m *Manager, _ *clocked, ours *clock, ev *events) {
	t.Helper()
	ours, ev = newClock(), &events{}
	s.ours = ours
	cfg := testConfig(s, ours)
	cfg.OnEvent = ev.add
	return mustOpen(t, cfg), s, ours, ev
}

// TestClockOff: a replica whose clock is off by more than S signs and verifies nothing, plans
// nothing, and goes on by itself.
func TestClockOff(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour, timetable.Default().Skew + time.Millisecond, -timetable.Default().Skew - time.Millisecond} {
		t.Run(by.String(), func(t *testing.T) {
			m, s, ours, ev := apart(t)
			token, _ := mustSign(t, m, "")
			ours.advance(by)
			mustStep(t, m)
			var claims any
			if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Sign: got %v, want clockcheck.ErrClock", err)
			}
			if _, err := m.Verify(token, "at+jwt", &claims); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Verify: got %v, want clockcheck.ErrClock", err)
			}
			if err := m.Ready(); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Ready: got %v, want clockcheck.ErrClock", err)
			}
			if _, err := m.JWKS(); err != nil {
				t.Errorf("JWKS: got %v, want it served", err)
			}
			if got := m.clock.Status(); got != (clockcheck.Status{Offset: by, Known: true, Off: true}) {
				t.Errorf("got %+v", got)
			}
			if _, err := m.Edit().Rotate(t.Context(), ""); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("Rotate: got %v, want clockcheck.ErrClock", err)
			}
			version := m.Version()
			s.clock.advance(40 * 24 * time.Hour) // a rotation is due
			ours.advance(40 * 24 * time.Hour)
			mustStep(t, m)
			if m.Version() != version || s.Swaps != 1 {
				t.Errorf("it has planned: version %d after %d, %d swaps", m.Version(), version, s.Swaps)
			}
			ours.advance(-by)
			mustStep(t, m)
			mustSign(t, m, "")
			if m.Version() == version {
				t.Error("it does not plan once its clock is right")
			}
			if off, right := ev.count(StepClockOff), ev.count(StepClockRight); off != 1 || right != 1 {
				t.Errorf("told %d times that it is off and %d times that it is right, want once each", off, right)
			}
			if disputed := ev.count(StepClockDisputed); disputed != 0 {
				t.Errorf("told %d times that it is disputed", disputed)
			}
		})
	}
}

// TestClockWithinTolerance: S, and what the round trip leaves open, count for the replica.
func TestClockWithinTolerance(t *testing.T) {
	skew := timetable.Default().Skew
	for _, tc := range []struct {
		name     string
		by, trip time.Duration
		s        time.Duration
		off      bool
	}{
		{"S ahead", skew, 0, skew, false},
		{"S behind", -skew, 0, skew, false},
		{"more, but not more than the round trip leaves open", skew + 300*time.Millisecond, 300 * time.Millisecond, skew, false},
		{"more than that", skew + 302*time.Millisecond, 300 * time.Millisecond, skew, true},
		{"behind by more than that", -skew - 302*time.Millisecond, 300 * time.Millisecond, skew, true},
		{"no S: a second is a matter of course", clockcheck.LeastTolerance, 0, 0, false},
		{"no S: more is not", clockcheck.LeastTolerance + 1, 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ours, s := newClock(), &clocked{clock: newClock()}
			s.ours = ours
			cfg := testConfig(s, ours)
			cfg.Timetable = timetable.Default()
			cfg.Timetable.Skew = tc.s
			m := mustOpen(t, cfg)
			ours.advance(tc.by)
			s.trip = tc.trip
			mustStep(t, m)
			if got := m.clock.Status(); got.Off != tc.off || (got.Offset-tc.by).Abs() > time.Millisecond {
				t.Errorf("got %+v, want an offset of %v, off %v", got, tc.by, tc.off)
			}
		})
	}
}

// TestStartWithClockOff: neither an install nor a replica begins with a wrong clock, and nothing is written.
func TestStartWithClockOff(t *testing.T) {
	ours := newClock()
	s := &clocked{clock: newClock()}
	cfg := testConfig(s, ours)
	ours.advance(time.Hour)
	if err := Init(t.Context(), cfg); !errors.Is(err, clockcheck.ErrClock) {
		t.Errorf("Init: got %v, want clockcheck.ErrClock", err)
	}
	ours.advance(-time.Hour)
	mustOpen(t, cfg)
	ours.advance(-time.Hour)
	_, err := Open(t.Context(), cfg)
	if !errors.Is(err, clockcheck.ErrClock) || !strings.Contains(err.Error(), "1h0m0s behind the others, and 1m0s is allowed") {
		t.Errorf("Open: got %v, want clockcheck.ErrClock", err)
	}
	if s.Swaps != 1 {
		t.Errorf("%d swaps, want the one of the good start", s.Swaps)
	}
}

// TestRevokedKeyAtClockBehind: a replica whose clock is an hour behind takes a revoked key out of the
// key set all the same.
func TestRevokedKeyAtClockBehind(t *testing.T) {
	m, s, ours, _ := apart(t)
	theirs := newClock()
	cfg := testConfig(s, theirs)
	other := mustOpen(t, cfg)
	_, kid := mustSign(t, m, "")
	for _, c := range []*clock{ours, theirs, s.clock} {
		c.advance(48 * time.Hour)
	}
	ours.advance(-time.Hour)
	mustStep(t, m)
	if _, err := other.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	mustStep(t, m)
	set, err := m.JWKS()
	if err != nil || strings.Contains(string(set.Body), kid) {
		t.Errorf("the key set an hour behind: got %s, %v, want it without %s", set.Body, err, kid)
	}
}

// observePeers gives a replica two heartbeats of each other, so that the age of the second is known.
func observePeers(m *Manager, others map[string]*clock) {
	showed := func(ago time.Duration) map[string]time.Time {
		all := map[string]time.Time{}
		for name, c := range others {
			all[name] = c.now().Add(-ago)
		}
		return all
	}
	m.clock.ObservePeers(m.cfg.Now(), showed(time.Second))
	m.clock.ObservePeers(m.cfg.Now(), showed(0))
}

// TestClocksVote: the majority decides which clock is wrong, and the storage where the votes are even.
func TestClocksVote(t *testing.T) {
	const wrong = time.Hour
	for _, tc := range []struct {
		name    string
		storage time.Duration // how far its clock is ahead of ours
		mute    bool          // it has no time
		peers   []time.Duration
		want    clockcheck.Status
	}{
		{"no other clock", 0, true, nil, clockcheck.Status{}},
		{"all agree", 0, false, []time.Duration{0, time.Second}, clockcheck.Status{Known: true}},
		{"alone against the storage", wrong, false, nil, clockcheck.Status{Offset: -wrong, Known: true, Off: true}},
		{"off, by all others", -wrong, false, []time.Duration{-wrong, -wrong}, clockcheck.Status{Offset: wrong, Known: true, Off: true}},
		{"the storage's clock jumped", wrong, false, []time.Duration{0}, clockcheck.Status{Offset: -wrong, Known: true, Disputed: true}},
		{"the storage's clock jumped, and another replica's is wrong", wrong, false, []time.Duration{0, 0, -wrong}, clockcheck.Status{Offset: -wrong, Known: true, Disputed: true}},
		{"another replica's clock is wrong", 0, false, []time.Duration{wrong}, clockcheck.Status{Known: true}},
		{"two sides: with the storage", 0, false, []time.Duration{0, wrong, wrong, wrong}, clockcheck.Status{Known: true}},
		{"two sides: against the storage", wrong, false, []time.Duration{0, wrong}, clockcheck.Status{Offset: -wrong, Known: true, Off: true}},
		{"outvoted together with the storage", 0, false, []time.Duration{wrong, wrong, wrong}, clockcheck.Status{Offset: -wrong, Known: true, Off: true}},
		{"no storage, and one other differs", 0, true, []time.Duration{wrong}, clockcheck.Status{Offset: -wrong, Known: true, Off: true}},
		{"no storage, and one of two differs", 0, true, []time.Duration{0, wrong}, clockcheck.Status{Known: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, s, _, ev := apartFrom(t, &clocked{clock: newClock(), mute: tc.mute})
			s.clock.advance(tc.storage)
			others := map[string]*clock{}
			for i, by := range tc.peers {
				c := newClock()
				c.advance(by)
				others[fmt.Sprint(i)] = c
			}
			observePeers(m, others)
			mustStep(t, m)
			if got := m.clock.Status(); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			_, _, err := m.Sign(t.Context(), "", "at+jwt", 1)
			if signs := err == nil; signs == tc.want.Off {
				t.Errorf("Sign: got %v", err)
			}
			if got := ev.count(StepClockDisputed) == 1; got != tc.want.Disputed {
				t.Errorf("told that it is disputed: %v", got)
			}
		})
	}
}

// TestStorageClockJumps: replicas that agree with each other go on signing, but plan nothing until
// the storage's clock is right again. What an operator asks for is done.
func TestStorageClockJumps(t *testing.T) {
	m, s, ours, ev := apart(t)
	s.clock.advance(time.Hour)
	observePeers(m, map[string]*clock{"other": ours})
	ours.advance(30*24*time.Hour + time.Minute)
	s.clock.advance(30*24*time.Hour + time.Minute)
	observePeers(m, map[string]*clock{"other": ours})
	version := m.Version()
	mustStep(t, m)
	mustSign(t, m, "")
	if m.Version() != version {
		t.Error("a transition was proposed while the clocks are disputed")
	}
	s.clock.advance(-time.Hour)
	mustStep(t, m)
	if m.Version() != version+1 {
		t.Errorf("version: got %d, want the transition that was due", m.Version())
	}
	if began, ended := ev.count(StepClockDisputed), ev.count(StepClockAgreed); began != 1 || ended != 1 {
		t.Errorf("told %d times that it begins and %d times that it ends, want once each", began, ended)
	}
	s.clock.advance(time.Hour)
	mustStep(t, m)
	kid := activeOf(m.held.load().Ring, jose.ES256, ours.now())[0].KID
	if _, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true}); err != nil {
		t.Errorf("Revoke while the clocks are disputed: %v", err)
	}
}

// TestClockJumpsBetweenReads: the wall clock is set, or the machine sleeps, and no token leaves before
// the next read has compared the clocks.
func TestClockJumpsBetweenReads(t *testing.T) {
	for name, tc := range map[string]struct{ wall, monotonic, passed time.Duration }{
		"set ahead": {time.Hour, time.Second, time.Second},
		"set back":  {-time.Hour, time.Second, time.Second},
		"suspended": {5 * time.Minute, time.Second, 5 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			now, storage := start, newClock()
			storage.t = start.Round(0)
			s := &clocked{clock: storage}
			cfg := testConfig(s, nil)
			cfg.Now = func() time.Time { return now }
			m := mustOpen(t, cfg)
			mustSign(t, m, "")
			now = shiftMonotonic(start.Add(tc.wall), tc.monotonic-tc.wall)
			if _, _, err := m.Sign(t.Context(), "", "at+jwt", 1); !errors.Is(err, clockcheck.ErrClock) && !errors.Is(err, ErrStale) {
				t.Errorf("Sign: got %v, want clockcheck.ErrClock or ErrStale", err)
			}
			if err := m.clock.Check(); !errors.Is(err, clockcheck.ErrClock) {
				t.Errorf("CheckClock: got %v, want clockcheck.ErrClock", err)
			}
			if len(m.poll) != 1 {
				t.Error("it does not ask for a read")
			}
			storage.t = start.Round(0).Add(tc.passed)
			mustStep(t, m)
			if off := m.clock.Status().Off; off != (tc.wall != tc.passed) {
				t.Errorf("after a read: off is %v", off)
			}
			now = start.Add(tc.passed) // and right again
			mustStep(t, m)
			mustSign(t, m, "")
		})
	}
}

// TestOtherReplicasBeforeAJump: what is known of the others' clocks moves with one's own, so they do
// not count for a clock that was set since their heartbeats.
func TestOtherReplicasBeforeAJump(t *testing.T) {
	start := time.Now()
	now, storage := start, newClock()
	storage.t = start.Round(0)
	cfg := testConfig(&clocked{clock: storage}, nil)
	cfg.Now = func() time.Time { return now }
	m := mustOpen(t, cfg)
	observePeers(m, map[string]*clock{"a": storage, "b": storage})
	now = shiftMonotonic(start.Add(time.Hour), -time.Hour)
	mustStep(t, m)
	if got := m.clock.Status(); !got.Off || got.Disputed || got.Offset != time.Hour {
		t.Errorf("got %+v, want off by 1h", got)
	}
}
