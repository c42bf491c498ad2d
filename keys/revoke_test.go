package keys

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/keyset"
	"signet/keys/keystest"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// kidOf returns the kid of the algorithm's key in that state, as the manager has it now.
func kidOf(t testing.TB, m *Manager, alg string, s rotation.State) string {
	t.Helper()
	for _, k := range m.Keys() {
		if k.Alg == alg && k.State == s {
			return k.KID
		}
	}
	t.Fatalf("no %s key of %s in %v", s, alg, m.Keys())
	return ""
}

func TestRevokeOfTheSigner(t *testing.T) {
	s, c, ev := &keystest.Storage{}, newClock(), &events{}
	cfg := testConfig(s, c)
	cfg.OnEvent = ev.add
	m, other := mustOpen(t, cfg), mustOpen(t, cfg)
	tt := timetable.Default()
	old, _ := mustSign(t, m, "")
	leaked, standby := kidOf(t, m, jose.ES256, rotation.Active), kidOf(t, m, jose.ES256, rotation.Pending)
	before, document := s.Get()

	c.advance(tt.Publish - time.Second)
	var young *rotation.NotAgedError
	if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{}); !errors.As(err, &young) || young.KID != standby || !young.KnownAt.Equal(testStart.Add(tt.Publish)) {
		t.Fatalf("with a young successor: got %v, want a rotation.NotAgedError that names %s", err, standby)
	}
	if version, now := s.Get(); version != before || string(now) != string(document) {
		t.Error("a refused revocation changed the keyring")
	}

	c.advance(time.Second)
	mustStep(t, other)
	r, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Swaps != 2 || r.Version != before+1 || m.Version() != before+1 {
		t.Errorf("got %d version steps to version %d, want one", s.Swaps-1, r.Version)
	}
	if r.Was != rotation.Active || r.Signer.KID != standby || !r.Signer.Aged(c.now()) || r.Standby.KID == standby || r.Standby.Aged(c.now()) {
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
	if _, err := m.Verify(old, "at+jwt", &claims); !errors.Is(err, keyset.ErrInvalidToken) {
		t.Errorf("a token of the revoked key: got %v, want ErrInvalidToken", err)
	}
	if _, err := other.Verify(old, "at+jwt", &claims); err != nil {
		t.Errorf("at a replica that has not read: %v", err)
	}
	mustStep(t, other)
	if _, err := other.Verify(old, "at+jwt", &claims); !errors.Is(err, keyset.ErrInvalidToken) {
		t.Errorf("at a replica that has read: got %v, want ErrInvalidToken", err)
	}
	c.advance(timetable.Default().Notice())
	if set, _ := m.JWKS(); !slices.Equal(setKIDs(t, set), []string{standby, r.Standby.KID}) {
		t.Errorf("key set: got %v, want the new standby in it", setKIDs(t, set))
	}
	for step, want := range map[rotation.Step]int{rotation.StepRevoked: 1, rotation.StepActivated: 2} { // the first key of all is the other
		if got := ev.count(step); got != want {
			t.Errorf("%s was told %d times, want %d", step, got, want)
		}
	}
}

// A replica whose clock is behind must not go on with the leaked key until its clock is there.
func TestRevokeHoldsForSlowClocks(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	cfg := testConfig(s, c)
	cfg.Now = func() time.Time { return c.now().Add(-timetable.Default().Skew) }
	slow := mustOpen(t, cfg)
	c.advance(timetable.Default().Publish)
	leaked := kidOf(t, m, jose.ES256, rotation.Active)
	if _, err := m.Edit().Revoke(t.Context(), leaked, rotation.RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	mustStep(t, slow)
	if _, kid := mustSign(t, slow, ""); kid == leaked {
		t.Error("a replica whose clock is S behind signs with the revoked key")
	}
}

func TestRevokeRefuses(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	c.advance(timetable.Default().Publish)
	first := kidOf(t, m, jose.ES256, rotation.Active)
	if _, err := m.Edit().Revoke(t.Context(), first, rotation.RevokeOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := m.Keys()[1].KID
	for range 2 { // let the second key live out its life
		c.advance(31 * 24 * time.Hour)
		mustStep(t, m)
	}
	version, document := s.Get()
	for name, tc := range map[string]struct {
		kid  string
		want error
	}{
		"never there": {"nonsense", rotation.ErrUnknownKey}, "empty": {"", rotation.ErrUnknownKey}, "revoked long ago": {first, rotation.ErrRevoked}, "lived out": {gone, rotation.ErrGone},
	} {
		if _, err := m.Edit().Revoke(t.Context(), tc.kid, rotation.RevokeOptions{Emergency: true}); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	if v, d := s.Get(); v != version || string(d) != string(document) {
		t.Error("a refused revocation changed the keyring")
	}
}

// Whatever order two operators come in: both keys are gone, in one version step each.
func TestConcurrentRevocations(t *testing.T) {
	for range 8 {
		s, c := &keystest.Storage{}, newClock()
		a, b := mustOpen(t, testConfig(s, c)), mustOpen(t, testConfig(s, c))
		active, pending := kidOf(t, a, jose.ES256, rotation.Active), kidOf(t, a, jose.ES256, rotation.Pending)
		var all sync.WaitGroup
		for m, kid := range map[*Manager]string{a: active, b: pending} {
			all.Go(func() {
				if _, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true}); err != nil {
					t.Errorf("Revoke: %v", err)
				}
			})
		}
		all.Wait()
		if s.Swaps != 3 {
			t.Errorf("%d version steps, want Init and one for each", s.Swaps)
		}
		m := mustOpen(t, testConfig(s, c))
		if _, kid := mustSign(t, m, ""); kid == active || kid == pending {
			t.Errorf("the revoked key %s signs", kid)
		}
	}
	s, c := &keystest.Storage{}, newClock()
	a, b := mustOpen(t, testConfig(s, c)), mustOpen(t, testConfig(s, c))
	kid := kidOf(t, a, jose.ES256, rotation.Active)
	errs := make(chan error, 2)
	for _, m := range []*Manager{a, b} {
		go func() {
			_, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true})
			errs <- err
		}()
	}
	one, two := <-errs, <-errs
	if one == nil {
		one, two = two, one
	}
	if two != nil || !errors.Is(one, rotation.ErrRevoked) || s.Swaps != 2 {
		t.Errorf("the same key twice: got %v and %v in %d steps, want one done and rotation.ErrRevoked", one, two, s.Swaps)
	}
}

// When the answer of the store is lost nothing is known; asked again it turns out to be done.
func TestRevokeWithALostReply(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	kid := kidOf(t, m, jose.ES256, rotation.Active)
	s.LoseReply = true
	if _, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true}); !errors.Is(err, keystest.ErrDown) {
		t.Fatalf("got %v, want %v", err, keystest.ErrDown)
	}
	if _, err := m.Edit().Revoke(t.Context(), kid, rotation.RevokeOptions{Emergency: true}); !errors.Is(err, rotation.ErrRevoked) {
		t.Errorf("again: got %v, want rotation.ErrRevoked", err)
	}
	if _, got := mustSign(t, m, ""); got == kid {
		t.Error("the revoked key signs")
	}
}
