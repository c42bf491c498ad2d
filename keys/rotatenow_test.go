package keys

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

func TestRotateNow(t *testing.T) {
	s, c, ev := &keystest.Storage{}, newClock(), &events{}
	cfg := testConfig(s, c)
	cfg.OnEvent = ev.add
	m := mustOpen(t, cfg)
	tt := timetable.Default()
	old, first := mustSign(t, m, "")
	standby := kidOf(t, m, jose.ES256, rotation.Pending)
	r, err := m.Edit().RotateNow(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if r.Retired != first || r.Signer.KID != standby || r.Signer.Aged(c.now()) || !r.Signer.KnownAt.Equal(testStart.Add(tt.Publish)) || r.Version != 2 {
		t.Errorf("report: got %+v", r)
	}
	if _, kid := mustSign(t, m, ""); kid != standby {
		t.Errorf("%s signs, want %s", kid, standby)
	}
	var claims any
	c.advance(tt.Retain - time.Second)
	mustStep(t, m)
	if _, err := m.Verify(old, "at+jwt", &claims); err != nil {
		t.Errorf("a token of the retired key, just before V: %v", err)
	}
	if got := ev.count(rotation.StepRetired); got != 1 {
		t.Errorf("retired was told %d times, want once", got)
	}
	if _, err := m.Edit().RotateNow(t.Context(), jose.EdDSA); !errors.Is(err, rotation.ErrAlgorithm) {
		t.Errorf("of an algorithm that is not live: got %v, want rotation.ErrAlgorithm", err)
	}
}

// Rotations in a row are refused before the key set has more keys than verifiers keep.
func TestRotateNowLeavesRoom(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	m := mustOpen(t, testConfig(s, c))
	var crowded *rotation.CrowdedError
	done := 0
	for ; done < 10; done++ {
		if _, err := m.Edit().RotateNow(t.Context(), jose.ES256); err != nil {
			if !errors.As(err, &crowded) {
				t.Fatal(err)
			}
			break
		}
		c.advance(time.Minute)
		mustStep(t, m)
	}
	if done != 3 {
		t.Errorf("%d rotations in a row, want 3", done)
	}
	set, err := m.JWKS()
	if n := len(setKIDs(t, set)); err != nil || n != 4 {
		t.Errorf("%d keys published, want 4", n)
	}
	c.advance(crowded.Until.Sub(c.now()))
	mustStep(t, m)
	if _, err := m.Edit().RotateNow(t.Context(), jose.ES256); err != nil {
		t.Errorf("when one has left: %v", err)
	}
	if slices.ContainsFunc(m.Keys(), func(k KeyInfo) bool { return k.State == rotation.Revoked }) {
		t.Error("a rotation revoked a key")
	}
}
