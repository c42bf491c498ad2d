package keys

import (
	"testing"
	"time"

	"signet/keys/keystest"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// fastTimetable is one of seconds, as the preset for demos has it.
func fastTimetable() timetable.Timetable {
	return timetable.Timetable{Cache: time.Second, CDN: time.Second, Skew: time.Second, MaxTokenLife: 5 * time.Second, Leeway: time.Second,
		SignStale: 2 * time.Second, ServeStale: 4 * time.Second, Publish: 10 * time.Second, Active: 15 * time.Second, Retain: 15 * time.Second}
}

// TestShorterTimetableKeepsKey: an install changes to a timetable of seconds and rotates by hand. The
// key that has signed tokens of an hour is published until the last of them has run out.
func TestShorterTimetableKeepsKey(t *testing.T) {
	for _, emergency := range []bool{false, true} {
		s, c := &keystest.Storage{}, newClock()
		_, kid := mustSign(t, mustOpen(t, testConfig(s, c)), "")
		exp := c.now().Add(timetable.Default().MaxTokenLife + timetable.Default().Leeway)
		cfg := testConfig(s, c)
		cfg.Timetable, cfg.Poll = fastTimetable(), 500*time.Millisecond
		m := mustOpen(t, cfg)
		mustStep(t, m)
		if emergency {
			if _, err := m.Edit().RotateNow(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
		} else if _, err := m.Edit().Rotate(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		retired := false
		for c.now().Before(exp) {
			c.advance(9 * time.Second)
			mustStep(t, m)
			retired = retired || m.find(t, kid).State == rotation.Retired
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

// publishes reports whether the kid is in the key set that the Manager serves.
func (m *Manager) publishes(kid string) bool {
	s, err := m.held.current(m.clock.Now())
	if err != nil {
		return false
	}
	for _, k := range s.keySet.Keys {
		if k.KID == kid {
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
