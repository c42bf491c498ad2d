package rotation

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/timetable"
)

// checkRevoked checks what must hold after a revocation for replicas whose clocks are off by up to Skew.
func checkRevoked(t *rapid.T, r Keyring, tt timetable.Timetable, algs []string, kid string, now time.Time, fresh *Fresh) {
	for _, clock := range []time.Time{now.Add(-tt.Skew), now, now.Add(tt.Skew)} {
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
	p := NewDraft(r, tt, now, fresh)
	for _, alg := range algs {
		if p.find(alg, Pending) == nil {
			t.Fatalf("%s has no standby: %+v", alg, r)
		}
	}
	if slices.ContainsFunc(r.At(now).Published, func(k Key) bool { return k.KID == kid }) {
		t.Fatalf("%s is still published: %+v", kid, r)
	}
	if _, err := p.Revoke(kid, RevokeOptions{Emergency: true}); !errors.Is(err, ErrRevoked) {
		t.Fatalf("a second revocation of %s: got %v, want ErrRevoked", kid, err)
	}
	if !r.Has(kid) {
		t.Fatalf("%s is forgotten", kid)
	}
}

// From any keyring that operators and time can produce, a revocation leaves one signer and one
// standby for each algorithm, and the kid never shows again.
func TestRevokeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt := drawTimetable(t)
		algs := algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		fresh, now := fakeKeys(), testStart
		r, _, err := First(tt, algs, now, fresh)
		if err != nil {
			t.Fatal(err)
		}
		var revoked []string
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			pause := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, int64(time.Minute)), rapid.Int64Range(0, int64(tt.Publish)),
				rapid.Int64Range(0, int64(2*tt.Active+tt.Retain))).Draw(t, "pause")
			now = now.Add(time.Duration(pause)).Truncate(time.Millisecond)
			r = checkedAdvance(t, r, tt, algs, now, fresh)
			p := NewDraft(r, tt, now, fresh)
			switch alg := rapid.SampledFrom(algs).Draw(t, "alg"); rapid.IntRange(0, 3).Draw(t, "do") {
			case 0:
				if _, err := p.ActivateEarly(alg); err != nil {
					t.Fatal(err)
				}
				r = p.Keyring
			case 1:
				if _, err := p.RotateNow(alg); err == nil {
					r = p.Keyring
				} else if !errors.As(err, new(*CrowdedError)) {
					t.Fatal(err)
				}
			case 2:
				k := rapid.SampledFrom(p.Keyring.Keys).Draw(t, "key")
				was := k.State(now)
				report, err := p.Revoke(k.KID, RevokeOptions{Emergency: true})
				if was == Revoked {
					if !errors.Is(err, ErrRevoked) {
						t.Fatalf("revoking a revoked key: %v", err)
					}
					break
				}
				if err != nil {
					t.Fatalf("revoking a %s key: %v", was, err)
				}
				r, revoked = p.Keyring, append(revoked, k.KID)
				if active := activeOf(r, k.Alg, now); report.Was != was || report.Signer == nil || report.Signer.KID != active[0].KID || report.Standby == nil {
					t.Fatalf("the report says %+v of %+v", report, r)
				}
				checkRevoked(t, r, tt, algs, k.KID, now, fresh)
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
				if !r.Has(kid) {
					t.Fatalf("%s is forgotten", kid)
				}
			}
		}
	})
}

// An algorithm that was wound down has no successor; its last key can still be revoked.
func TestRevokeOfTheLastKeyOfAnEndingAlgorithm(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256, rs256}, testStart, fresh)
	now := testStart.Add(tt.Publish)
	r.Leaving = []Leaving{{Alg: rs256, At: now}}
	r, _, err := Advance(r, tt, []string{es256}, now, fresh)
	if err != nil {
		t.Fatal(err)
	}
	kid := activeOf(r, rs256, now)[0].KID
	p := NewDraft(r, tt, now, fresh)
	report, err := p.Revoke(kid, RevokeOptions{})
	if err != nil || report.Signer != nil || len(activeOf(p.Keyring, rs256, now)) != 0 || len(activeOf(p.Keyring, es256, now)) != 1 {
		t.Errorf("got %+v, %v, ring %+v", report, err, p.Keyring)
	}
}

// A signing key without any successor gets one on the spot, in an emergency only.
func TestRevokeWithoutASuccessor(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, _ := First(tt, []string{es256}, testStart, fresh)
	r.Keys, r.Keys[0].RetireAt, r.Keys[0].RemoveAt = r.Keys[:1], time.Time{}, time.Time{}
	p := NewDraft(r, tt, testStart, fresh)
	var young *NotAgedError
	if _, err := p.Revoke(r.Keys[0].KID, RevokeOptions{}); !errors.As(err, &young) || young.KID != "" {
		t.Fatalf("got %v, want a NotAgedError that names no successor", err)
	}
	report, err := p.Revoke(r.Keys[0].KID, RevokeOptions{Emergency: true})
	if active := activeOf(p.Keyring, es256, testStart); err != nil || len(active) != 1 || active[0].KID != report.Signer.KID || report.Standby == nil {
		t.Errorf("got %+v, %v, ring %+v", report, err, p.Keyring)
	}
}

// TestRotateNowWithoutANewKey: where no key can be made the successor signs, and there is no standby.
func TestRotateNowWithoutANewKey(t *testing.T) {
	tt := timetable.Default()
	r, _, _ := First(tt, []string{es256}, testStart, fakeKeys())
	d := NewDraft(r, tt, testStart.Add(time.Hour), &Fresh{Failed: map[string]bool{es256: true}})
	done, err := d.RotateNow(es256)
	if err != nil || done.Standby != nil || done.Signer.KID != r.Keys[1].KID || done.Retired != r.Keys[0].KID {
		t.Errorf("got %+v, %v", done, err)
	}
}

// An emergency is dated back for replicas with slow clocks; operators see when it was done.
func TestEmergencyIsSeenWhenItWasDone(t *testing.T) {
	tt, fresh := timetable.Default(), fakeKeys()
	r, _, err := First(tt, []string{es256}, testStart, fresh)
	if err != nil {
		t.Fatal(err)
	}
	now := testStart.Add(time.Hour)
	for name, emergency := range map[string]func(*Draft) (signer, other string, err error){
		"revocation": func(d *Draft) (string, string, error) {
			done, err := d.Revoke(d.find(es256, Active).KID, RevokeOptions{Emergency: true})
			return done.Signer.KID, done.KID, err
		},
		"rotation at once": func(d *Draft) (string, string, error) {
			done, err := d.RotateNow(es256)
			return done.Signer.KID, done.Retired, err
		},
	} {
		d := NewDraft(r, tt, now, fresh)
		signer, other, err := emergency(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, kid := range []string{signer, other} {
			k, _ := d.Keyring.Find(kid)
			if got := k.Since(now); !got.Equal(now) {
				t.Errorf("%s: %s is %s since %v before it was done", name, kid, k.State(now), now.Sub(got))
			}
			if slow := now.Add(-tt.Skew); k.State(slow) != k.State(now) {
				t.Errorf("%s: a replica whose clock is slow by Skew has %s as %s, the others as %s", name, kid, k.State(slow), k.State(now))
			}
		}
	}
}
