package rotation

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys/timetable"
)

// fastTimetable is one of seconds, as the preset for demos has it.
func fastTimetable() timetable.Timetable {
	return timetable.Timetable{Cache: time.Second, CDN: time.Second, Skew: time.Second, MaxTokenLife: 5 * time.Second, Leeway: time.Second,
		SignStale: 2 * time.Second, ServeStale: 4 * time.Second, Publish: 10 * time.Second, Active: 15 * time.Second, Retain: 15 * time.Second}
}

// TestHoldOfAnOldKeyring: a keyring that was written before Hold was recorded has the plan of its key.
func TestHoldOfAnOldKeyring(t *testing.T) {
	r, _, _ := First(timetable.Default(), []string{es256}, testStart, fakeKeys())
	for i := range r.Keys {
		r.Keys[i].Hold = 0
	}
	r, _, err := Advance(r, fastTimetable(), []string{es256}, testStart.Add(time.Minute), fakeKeys())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Keys[0].Hold; got < timetable.Default().Hold() {
		t.Errorf("got %v, want at least %v", got, timetable.Default().Hold())
	}
}

// TestTokensOutliveTimetables: whatever timetables follow each other, and however it rotates, a
// token's key is published until the token has run out, unless the key was revoked.
func TestTokensOutliveTimetables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := func(name string, n int) int { return rapid.IntRange(0, n-1).Draw(t, name) }
		now, fresh := testStart, fakeKeys()
		tt := drawTimetable(t)
		r, _, err := First(tt, []string{es256}, now, fresh)
		if err != nil {
			t.Fatal(err)
		}
		ends := map[string]time.Time{} // by kid: until when a token of it lives
		for range index("steps", 40) + 1 {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*tt.Publish/time.Second)).Draw(t, "pause")) * time.Second)
			for kid, end := range ends {
				if now.Before(end) && !publishedIn(r, kid, now) {
					t.Fatalf("key %s left %v too early", kid, end.Sub(now))
				}
			}
			switch index("do", 4) {
			case 0:
				tt = drawTimetable(t)
			case 1:
				p := NewDraft(r, tt, now, fresh)
				if p.Advance([]string{es256}) == nil {
					if _, err := p.ActivateEarly(es256); err == nil {
						r = p.Keyring
					}
				}
			case 2:
				p := NewDraft(r, tt, now, fresh)
				if p.Advance([]string{es256}) == nil {
					if _, err := p.RotateNow(es256); err == nil {
						r = p.Keyring
					}
				}
			}
			if r, _, err = Advance(r, tt, []string{es256}, now, fresh); err != nil {
				t.Fatal(err)
			}
			for _, k := range r.At(now).Active {
				ends[k.KID] = later(ends[k.KID], now.Add(tt.MaxTokenLife+tt.Leeway))
			}
		}
	})
}

func publishedIn(r Keyring, kid string, now time.Time) bool {
	for _, k := range r.Keys {
		if k.KID == kid {
			return k.Published(now)
		}
	}
	return false
}
