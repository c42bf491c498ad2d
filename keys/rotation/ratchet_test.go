package rotation

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// rank orders the states that a key goes through.
func rank(s State) int {
	return map[State]int{Pending: 0, Active: 1, Retired: 2, Removed: 3, Revoked: 4}[s]
}

// TestRevokedAtEveryTime: a revocation is a fact; the time it is looked at makes no difference.
func TestRevokedAtEveryTime(t *testing.T) {
	k := Key{PublishAt: testStart, ActivateAt: testStart, RevokedAt: testStart.Add(24 * time.Hour)}
	for _, by := range []time.Duration{-10000 * time.Hour, -time.Hour, 0, 23 * time.Hour, 24 * time.Hour, 10000 * time.Hour} {
		if now := testStart.Add(by); k.State(now) != Revoked || k.Published(now) {
			t.Errorf("%v after it was made: %s, published %v", by, k.State(now), k.Published(now))
		}
	}
}

// TestNoKeyMovesBackwards: whatever the steps were, no step back of the clock brings a key
// into an earlier state than the one it had when the keyring was written.
func TestNoKeyMovesBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tt, now, fresh := drawTimetable(t), testStart, fakeKeys()
		index := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) }
		moment := func(name string, limit time.Duration) time.Duration {
			return time.Duration(rapid.Int64Range(0, int64(limit/time.Second)).Draw(t, name)) * time.Second
		}
		algs := algorithms[:rapid.IntRange(1, 3).Draw(t, "algorithms")]
		r, _, err := First(tt, algs, now, fresh)
		if err != nil {
			t.Fatal(err)
		}
		was := map[string]State{}
		for range index("steps", 20) + 1 {
			now = now.Add(moment("pause", 2*tt.Publish))
			p := NewDraft(r, tt, now, fresh)
			if err := p.Advance(algs); err != nil {
				t.Fatal(err)
			}
			switch alg := algs[index("alg", len(algs))]; index("do", 4) {
			case 0:
				_, err = p.RotateNow(alg)
			case 1:
				k := p.Keyring.Keys[index("key", len(p.Keyring.Keys))]
				_, err = p.Revoke(k.KID, RevokeOptions{Emergency: true})
			case 2:
				_, err = p.ActivateEarly(alg)
			}
			if err == nil && len(p.Transitions) > 0 {
				r = p.Keyring
				for _, k := range r.Keys {
					if rank(k.State(now)) < rank(was[k.KID]) {
						t.Fatalf("a plan moved %s from %s to %s", k.KID, was[k.KID], k.State(now))
					}
					was[k.KID] = k.State(now)
				}
			}
			wrong := now.Add(-moment("step back", 100*24*time.Hour))
			for _, k := range r.Keys {
				l := r.At(wrong)
				active, published := false, false
				for _, a := range l.Active {
					active = active || a.KID == k.KID
				}
				for _, a := range l.Published {
					published = published || a.KID == k.KID
				}
				switch s := was[k.KID]; {
				case rank(s) >= rank(Retired) && active, rank(s) >= rank(Removed) && published:
					t.Fatalf("by a clock %v behind, %s, which was %s, signs: %v, published: %v", now.Sub(wrong), k.KID, s, active, published)
				case k.State(now) == Active && s == Active && !active:
					t.Fatalf("by a clock %v behind, %s does not sign any more", now.Sub(wrong), k.KID)
				}
			}
			for _, alg := range algs {
				if n := len(activeOf(r, alg, wrong)); n != 1 {
					t.Fatalf("by a clock %v behind %d keys of %s sign", now.Sub(wrong), n, alg)
				}
			}
		}
	})
}
