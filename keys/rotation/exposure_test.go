package rotation

import (
	"testing"
	"time"
)

func TestExposure(t *testing.T) {
	at := func(d time.Duration) time.Time { return testStart.Add(d) }
	none := time.Time{}
	short := DefaultTimetable()
	short.CDN, short.Cache, short.Skew, short.Leeway, short.MaxTokenLife = 0, 5*time.Minute, 0, 0, 10*time.Minute
	for _, tc := range []struct {
		name                         string
		tt                           Timetable
		signed, served               time.Time
		expired, forgotten, accepted time.Time
	}{
		{"defaults: the token runs out first", DefaultTimetable(), at(0), at(0), at(66 * time.Minute), at(2 * time.Hour), at(66 * time.Minute)},
		{"short caches: they forget first", short, at(0), at(0), at(10 * time.Minute), at(5 * time.Minute), at(5 * time.Minute)},
		{"retired an hour ago", DefaultTimetable(), at(-time.Hour), at(0), at(6 * time.Minute), at(2 * time.Hour), at(6 * time.Minute)},
		{"never signed", DefaultTimetable(), none, at(0), none, at(2 * time.Hour), none},
		{"a replica in the dark", DefaultTimetable(), at(10 * time.Minute), at(6 * time.Hour), at(76 * time.Minute), at(8 * time.Hour), at(76 * time.Minute)},
	} {
		got := tc.tt.Exposure(tc.signed, tc.served)
		if want := (Exposure{tc.expired, tc.forgotten}); got != want || !got.Genuine().Equal(tc.accepted) {
			t.Errorf("%s: got %+v and %v, want %+v and %v", tc.name, got, got.Genuine(), want, tc.accepted)
		}
	}
}

func TestExposuresByState(t *testing.T) {
	tt := DefaultTimetable()
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
		all, unread := tt.exposures(tc.key, now)
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
