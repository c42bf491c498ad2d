package keys

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/jose"
)

// kidOf returns the kid of the algorithm's key in that state, as the manager has it now.
func kidOf(t testing.TB, m *Manager, alg string, s State) string {
	t.Helper()
	for _, k := range m.Keys() {
		if k.Alg == alg && k.State == s {
			return k.KID
		}
	}
	t.Fatalf("no %s key of %s in %v", s, alg, m.Keys())
	return ""
}

// checkRevoked checks what must hold after a revocation for replicas whose clocks are off by up to S.
func checkRevoked(t *rapid.T, r Ring, tt Timetable, algs []string, kid string, now time.Time, make func(string) (Key, error)) {
	for _, clock := range []time.Time{now.Add(-tt.ClockSkew), now, now.Add(tt.ClockSkew)} {
		if clock.Before(testStart) {
			continue // nothing signed before the install was made
		}
		l := r.At(clock)
		for _, alg := range algs {
			if got := len(activeOf(r, alg, clock)); got != 1 {
				t.Fatalf("by a clock off by %v: %d active keys of %s: %+v", clock.Sub(now), got, alg, r)
			}
			same := func(k Key) bool { return k.Alg == alg }
			if got := len(slices.DeleteFunc(slices.Clone(l.Published), func(k Key) bool { return !same(k) })); got > maxPublished {
				t.Fatalf("%d keys of %s are published", got, alg)
			}
		}
	}
	p := newPlanner(r, tt, now, make)
	for _, alg := range algs {
		if p.find(alg, Pending) == nil {
			t.Fatalf("%s has no standby: %+v", alg, r)
		}
	}
	if slices.ContainsFunc(r.At(now).Published, func(k Key) bool { return k.KID == kid }) {
		t.Fatalf("%s is still published: %+v", kid, r)
	}
	if _, err := p.revoke(kid, RevokeOptions{Emergency: true}); !errors.Is(err, ErrRevoked) {
		t.Fatalf("a second revocation of %s: got %v, want ErrRevoked", kid, err)
	}
	if !r.has(kid) {
		t.Fatalf("%s is forgotten", kid)
	}
}

// From any ring that operators and time can bring about, a revocation leaves one signer and one
// standby for each algorithm, and the kid never shows again.
func TestRevokeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		algs := jose.Algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		make, now := fakeKeys(), testStart
		r, _, err := First(tt, algs, now, make)
		if err != nil {
			t.Fatal(err)
		}
		var revoked []string
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			pause := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, int64(time.Minute)), rapid.Int64Range(0, int64(tt.Publish)),
				rapid.Int64Range(0, int64(2*tt.Active+tt.Retain))).Draw(t, "pause")
			now = now.Add(time.Duration(pause)).Truncate(time.Millisecond)
			r = checkedAdvance(t, r, tt, algs, now, make)
			p := newPlanner(r, tt, now, make)
			switch alg := rapid.SampledFrom(algs).Draw(t, "alg"); rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				if _, err := p.hasten(alg); err != nil {
					t.Fatal(err)
				}
				r = p.ring
			case 1:
				if _, err := p.rotateNow(alg); err == nil {
					r = p.ring
				} else if !errors.As(err, new(*CrowdedError)) {
					t.Fatal(err)
				}
			case 2:
				k := rapid.SampledFrom(p.ring.Keys).Draw(t, "key")
				was := k.State(now)
				report, err := p.revoke(k.KID, RevokeOptions{Emergency: true})
				if was == Revoked {
					if !errors.Is(err, ErrRevoked) {
						t.Fatalf("revoking a revoked key: %v", err)
					}
					break
				}
				if err != nil {
					t.Fatalf("revoking a %s key: %v", was, err)
				}
				r, revoked = p.ring, append(revoked, k.KID)
				if active := activeOf(r, k.Alg, now); report.Was != was || report.Signer == nil || report.Signer.KID != active[0].KID || report.Standby == nil {
					t.Fatalf("the report says %+v of %+v", report, r)
				}
				checkRevoked(t, r, tt, algs, k.KID, now, make)
			}
			for _, alg := range algs {
				if got := len(activeOf(r, alg, now)); got != 1 {
					t.Fatalf("%d active keys of %s", got, alg)
				}
			}
			for _, k := range r.At(now).Published {
				if slices.Contains(revoked, k.KID) {
					t.Fatalf("%s was revoked and is published", k.KID)
				}
			}
			for _, kid := range revoked {
				if !r.has(kid) {
					t.Fatalf("%s is forgotten", kid)
				}
			}
		}
	})
}

func TestRevokeOfTheSigner(t *testing.T) {
	s, c, ev := &memory{}, newClock(), &events{}
	cfg := testConfig(s, c)
	cfg.OnEvent = ev.add
	m, other := mustOpen(t, cfg), mustOpen(t, cfg)
	tt := DefaultTimetable()
	old, _ := mustSign(t, m, "")
	leaked, standby := kidOf(t, m, jose.ES256, Active), kidOf(t, m, jose.ES256, Pending)
	before, document := s.get()

	c.advance(tt.Publish - time.Second)
	var young *NotAgedError
	if _, err := m.Revoke(t.Context(), leaked, RevokeOptions{}); !errors.As(err, &young) || young.KID != standby || !young.KnownAt.Equal(testStart.Add(tt.Publish)) {
		t.Fatalf("with a young successor: got %v, want a NotAgedError that names %s", err, standby)
	}
	if version, now := s.get(); version != before || string(now) != string(document) {
		t.Error("a refused revocation changed the keyring")
	}

	c.advance(time.Second)
	mustStep(t, other)
	r, err := m.Revoke(t.Context(), leaked, RevokeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s.swaps != 2 || r.Version != before+1 || m.Version() != before+1 {
		t.Errorf("got %d version steps to version %d, want one", s.swaps-1, r.Version)
	}
	if r.Was != Active || r.Signer.KID != standby || !r.Signer.Aged(c.now()) || r.Standby.KID == standby || r.Standby.Aged(c.now()) {
		t.Errorf("report: got %+v", r)
	}
	set, err := m.JWKS()
	if err != nil || !slices.Equal(setKIDs(t, set), []string{standby}) { // the new one comes a notice later
		t.Errorf("key set: got %v, %v, want %s alone", setKIDs(t, set), err, standby)
	}
	if _, kid := mustSign(t, m, ""); kid != standby {
		t.Errorf("%s signs, want %s", kid, standby)
	}
	var claims any
	if _, err := m.Verify(old, "at+jwt", &claims); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("a token of the revoked key: got %v, want ErrInvalidToken", err)
	}
	if _, err := other.Verify(old, "at+jwt", &claims); err != nil {
		t.Errorf("at a replica that has not read: %v", err)
	}
	mustStep(t, other)
	if _, err := other.Verify(old, "at+jwt", &claims); !errors.Is(err, ErrInvalidToken) {
		t.Errorf("at a replica that has read: got %v, want ErrInvalidToken", err)
	}
	c.advance(DefaultTimetable().notice())
	if set, _ := m.JWKS(); !slices.Equal(setKIDs(t, set), []string{standby, r.Standby.KID}) {
		t.Errorf("key set: got %v, want the new standby in it", setKIDs(t, set))
	}
	for step, want := range map[Step]int{StepRevoked: 1, StepActivated: 2} { // the first key of all is the other
		if got := ev.count(step); got != want {
			t.Errorf("%s was told %d times, want %d", step, got, want)
		}
	}
}

// A replica whose clock is behind must not go on with the leaked key until its clock is there.
func TestRevokeHoldsForSlowClocks(t *testing.T) {
	s, c := &memory{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	cfg := testConfig(s, c)
	cfg.Now = func() time.Time { return c.now().Add(-DefaultTimetable().ClockSkew) }
	slow := mustOpen(t, cfg)
	c.advance(DefaultTimetable().Publish)
	leaked := kidOf(t, m, jose.ES256, Active)
	if _, err := m.Revoke(t.Context(), leaked, RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	mustStep(t, slow)
	if _, kid := mustSign(t, slow, ""); kid == leaked {
		t.Error("a replica whose clock is S behind signs with the revoked key")
	}
}

func TestRevokeRefuses(t *testing.T) {
	s, c := &memory{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	c.advance(DefaultTimetable().Publish)
	first := kidOf(t, m, jose.ES256, Active)
	if _, err := m.Revoke(t.Context(), first, RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := m.Keys()[1].KID
	for range 2 { // let the second key live out its life
		c.advance(31 * 24 * time.Hour)
		mustStep(t, m)
	}
	version, document := s.get()
	for name, tc := range map[string]struct {
		kid  string
		want error
	}{
		"never there": {"nonsense", ErrUnknownKey}, "empty": {"", ErrUnknownKey}, "revoked long ago": {first, ErrRevoked}, "lived out": {gone, ErrGone},
	} {
		if _, err := m.Revoke(t.Context(), tc.kid, RevokeOptions{Emergency: true}); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if v, d := s.get(); v != version || string(d) != string(document) {
		t.Error("a refused revocation changed the keyring")
	}
}

// Whatever order two operators come in: both keys are gone, in one version step each.
func TestConcurrentRevocations(t *testing.T) {
	for range 8 {
		s, c := &memory{}, newClock()
		a, b := mustOpen(t, testConfig(s, c)), mustOpen(t, testConfig(s, c))
		active, pending := kidOf(t, a, jose.ES256, Active), kidOf(t, a, jose.ES256, Pending)
		var all sync.WaitGroup
		for m, kid := range map[*Manager]string{a: active, b: pending} {
			all.Go(func() {
				if _, err := m.Revoke(t.Context(), kid, RevokeOptions{Emergency: true}); err != nil {
					t.Errorf("Revoke: %v", err)
				}
			})
		}
		all.Wait()
		if s.swaps != 3 {
			t.Errorf("%d version steps, want Init and one for each", s.swaps)
		}
		m := mustOpen(t, testConfig(s, c))
		if _, kid := mustSign(t, m, ""); kid == active || kid == pending {
			t.Errorf("the revoked key %s signs", kid)
		}
	}
	s, c := &memory{}, newClock()
	a, b := mustOpen(t, testConfig(s, c)), mustOpen(t, testConfig(s, c))
	kid := kidOf(t, a, jose.ES256, Active)
	errs := make(chan error, 2)
	for _, m := range []*Manager{a, b} {
		go func() {
			_, err := m.Revoke(t.Context(), kid, RevokeOptions{Emergency: true})
			errs <- err
		}()
	}
	one, two := <-errs, <-errs
	if one == nil {
		one, two = two, one
	}
	if two != nil || !errors.Is(one, ErrRevoked) || s.swaps != 2 {
		t.Errorf("the same key twice: got %v and %v in %d steps, want one done and ErrRevoked", one, two, s.swaps)
	}
}

// When the answer of the store is lost nothing is known; asked again it turns out to be done.
func TestRevokeWithALostReply(t *testing.T) {
	s, c := &memory{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	kid := kidOf(t, m, jose.ES256, Active)
	s.loseReply = true
	if _, err := m.Revoke(t.Context(), kid, RevokeOptions{Emergency: true}); !errors.Is(err, errDown) {
		t.Fatalf("got %v, want %v", err, errDown)
	}
	if _, err := m.Revoke(t.Context(), kid, RevokeOptions{Emergency: true}); !errors.Is(err, ErrRevoked) {
		t.Errorf("again: got %v, want ErrRevoked", err)
	}
	if _, got := mustSign(t, m, ""); got == kid {
		t.Error("the revoked key signs")
	}
}

// An algorithm that was wound down has no successor; its last key can still be revoked.
func TestRevokeOfTheLastKeyOfAnEndingAlgorithm(t *testing.T) {
	tt, make := DefaultTimetable(), fakeKeys()
	r, _, _ := First(tt, []string{jose.ES256, jose.RS256}, testStart, make)
	now := testStart.Add(tt.Publish)
	r.Leaving = []Leaving{{Alg: jose.RS256, At: now}}
	r, _, err := Advance(r, tt, []string{jose.ES256}, now, make)
	if err != nil {
		t.Fatal(err)
	}
	kid := activeOf(r, jose.RS256, now)[0].KID
	p := newPlanner(r, tt, now, make)
	report, err := p.revoke(kid, RevokeOptions{})
	if err != nil || report.Signer != nil || len(activeOf(p.ring, jose.RS256, now)) != 0 || len(activeOf(p.ring, jose.ES256, now)) != 1 {
		t.Errorf("got %+v, %v, ring %+v", report, err, p.ring)
	}
}

// A signing key without any successor gets one on the spot, in an emergency only.
func TestRevokeWithoutASuccessor(t *testing.T) {
	tt, make := DefaultTimetable(), fakeKeys()
	r, _, _ := First(tt, []string{jose.ES256}, testStart, make)
	r.Keys, r.Keys[0].RetireAt, r.Keys[0].RemoveAt = r.Keys[:1], time.Time{}, time.Time{}
	p := newPlanner(r, tt, testStart, make)
	var young *NotAgedError
	if _, err := p.revoke(r.Keys[0].KID, RevokeOptions{}); !errors.As(err, &young) || young.KID != "" {
		t.Fatalf("got %v, want a NotAgedError that names no successor", err)
	}
	report, err := p.revoke(r.Keys[0].KID, RevokeOptions{Emergency: true})
	if active := activeOf(p.ring, jose.ES256, testStart); err != nil || len(active) != 1 || active[0].KID != report.Signer.KID || report.Standby == nil {
		t.Errorf("got %+v, %v, ring %+v", report, err, p.ring)
	}
}
