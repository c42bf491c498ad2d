package keys

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/jose"
)

// fastTimetable is one of seconds, as the preset for demos has it.
func fastTimetable() Timetable {
	return Timetable{VerifierCache: time.Second, EdgeCache: time.Second, ClockSkew: time.Second, TokenLife: 5 * time.Second, Leeway: time.Second,
		SignStale: 2 * time.Second, ServeStale: 4 * time.Second, Publish: 10 * time.Second, Active: 15 * time.Second, Retain: 15 * time.Second}
}

// TestShorterTimetableKeepsKey: an install changes to a timetable of seconds and rotates by hand. The
// key that has signed tokens of an hour is published until the last of them has run out.
func TestShorterTimetableKeepsKey(t *testing.T) {
	for _, emergency := range []bool{false, true} {
		s, c := &memory{}, newClock()
		_, kid := mustSign(t, mustOpen(t, testConfig(s, c)), "")
		exp := c.now().Add(DefaultTimetable().TokenLife + DefaultTimetable().Leeway)
		cfg := testConfig(s, c)
		cfg.Timetable, cfg.Poll = fastTimetable(), 500*time.Millisecond
		m := mustOpen(t, cfg)
		mustStep(t, m)
		if emergency {
			if _, err := m.RotateNow(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		} else if _, err := m.Rotate(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		retired := false
		for c.now().Before(exp) {
			c.advance(9 * time.Second)
			mustStep(t, m)
			retired = retired || m.find(t, kid).State == Retired
			if !m.publishes(kid) {
				t.Fatalf("emergency %v: the key has left the set %v before its last token ran out", emergency, exp.Sub(c.now()))
			}
		}
		if !retired {
			t.Fatal("the key was never retired: the test proves nothing")
		}
		c.advance(time.Hour)
		mustStep(t, m)
		if m.publishes(kid) {
			t.Error("the key never leaves")
		}
	}
}

// TestHoldOfAnOldKeyring: a keyring that was written before Hold was recorded has the plan of its key.
func TestHoldOfAnOldKeyring(t *testing.T) {
	r, _, _ := First(DefaultTimetable(), []string{jose.ES256}, testStart, fakeKeys())
	for i := range r.Keys {
		r.Keys[i].Hold = 0
	}
	r, _, err := Advance(r, fastTimetable(), []string{jose.ES256}, testStart.Add(time.Minute), fakeKeys())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Keys[0].Hold; got < DefaultTimetable().outlast() {
		t.Errorf("got %v, want at least %v", got, DefaultTimetable().outlast())
	}
}

// TestTokensOutliveTimetables: whatever timetables follow each other, whoever rotates and however, a
// token's key is published until the token has run out, unless the key was revoked.
func TestTokensOutliveTimetables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draws{t}
		now, make := testStart, fakeKeys()
		tt := d.tightTimetable()
		r, _, err := First(tt, []string{jose.ES256}, now, make)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[string]time.Time{} // by kid: until when a token of it lives
		for range d.index("steps", 40) + 1 {
			now = now.Add(d.moment("pause", 2*tt.Publish))
			for kid, end := range ends {
				if now.Before(end) && !publishedIn(r, kid, now) {
					t.Fatalf("key %s left %v too early", kid, end.Sub(now))
				}
			}
			switch d.index("do", 4) {
			case 0:
				tt = d.tightTimetable()
			case 1:
				p := newPlanner(r, tt, now, make)
				if p.advance([]string{jose.ES256}) == nil {
					if _, err := p.hasten(jose.ES256); err == nil {
						r = p.ring
					}
				}
			case 2:
				p := newPlanner(r, tt, now, make)
				if p.advance([]string{jose.ES256}) == nil {
					if _, err := p.rotateNow(jose.ES256); err == nil {
						r = p.ring
					}
				}
			}
			if r, _, err = Advance(r, tt, []string{jose.ES256}, now, make); err != nil {
				t.Fatal(err)
			}
			for _, k := range r.At(now).Active {
				ends[k.KID] = later(ends[k.KID], now.Add(tt.TokenLife+tt.Leeway))
			}
		}
	})
}

func publishedIn(r Ring, kid string, now time.Time) bool {
	for _, k := range r.Keys {
		if k.KID == kid {
			return k.Published(now)
		}
	}
	return false
}

// publishes reports whether the kid is in the key set that the Manager serves.
func (m *Manager) publishes(kid string) bool {
	s, err := m.current(m.clock.Correct(m.cfg.Now()))
	if err != nil {
		return false
	}
	for _, k := range s.view.published {
		if k.kid == kid {
			return true
		}
	}
	return false
}

func (m *Manager) find(t testing.TB, kid string) KeyInfo {
	t.Helper()
	for _, k := range m.Keys() {
		if k.KID == kid {
			return k
		}
	}
	t.Fatalf("there is no key %s", kid)
	return KeyInfo{}
}
