package rotation

import (
	"testing"
	"time"

	"signet/keys/timetable"
)

func TestExposuresByState(t *testing.T) {
	tt := timetable.Default()
	now := testStart
	k := func(activate, retire time.Duration) Key {
		key := Key{KID: "k", PublishAt: now.Add(activate - tt.Publish), ActivateAt: now.Add(activate)}
		if retire != 0 {
			key.RetireAt = now.Add(retire)
		}
		return key
	}
	const tail = 66 * time.Minute // Skew + MaxTokenLife + Leeway
	for name, tc := range map[string]struct {
		key         Key
		all, unread time.Duration // until the last token has run out; 0: there is none
	}{
		"active":                 {k(-time.Hour, time.Hour), tail, tail + tt.SignStale},
		"retired":                {k(-2*time.Hour, -time.Hour), tail - time.Hour, tail - time.Hour + tt.SignStale},
		"pending":                {k(time.Hour, 0), 0, 0},
		"pending, about to sign": {k(time.Minute, 0), 0, tail + tt.SignStale},
	} {
		all, unread := tc.key.exposures(tt, now)
		for _, c := range []struct {
			what string
			got  time.Time
			want time.Duration
		}{{"all", all.Expired, tc.all}, {"unread", unread.Expired, tc.unread}} {
			if c.want == 0 && !c.got.IsZero() || c.want != 0 && !c.got.Equal(now.Add(c.want)) {
				t.Errorf("%s, %s: got %v, want %v after", name, c.what, c.got.Sub(now), c.want)
			}
		}
		if !all.Forgotten.Equal(now.Add(2*time.Hour)) || !unread.Forgotten.Equal(now.Add(8*time.Hour)) {
			t.Errorf("%s: forgotten at %v and %v", name, all.Forgotten.Sub(now), unread.Forgotten.Sub(now))
		}
	}
}
