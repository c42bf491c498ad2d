package timetable

import (
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestExposure(t *testing.T) {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	none := time.Time{}
	short := Default()
	short.CDN, short.Cache, short.Skew, short.Leeway, short.MaxTokenLife = 0, 5*time.Minute, 0, 0, 10*time.Minute
	for _, tc := range []struct {
		name                         string
		tt                           Timetable
		signed, served               time.Time
		expired, forgotten, accepted time.Time
	}{
		{"defaults: the token runs out first", Default(), at(0), at(0), at(66 * time.Minute), at(2 * time.Hour), at(66 * time.Minute)},
		{"short caches: they forget first", short, at(0), at(0), at(10 * time.Minute), at(5 * time.Minute), at(5 * time.Minute)},
		{"retired an hour ago", Default(), at(-time.Hour), at(0), at(6 * time.Minute), at(2 * time.Hour), at(6 * time.Minute)},
		{"never signed", Default(), none, at(0), none, at(2 * time.Hour), none},
		{"a replica in the dark", Default(), at(10 * time.Minute), at(6 * time.Hour), at(76 * time.Minute), at(8 * time.Hour), at(76 * time.Minute)},
	} {
		got := tc.tt.Exposure(tc.signed, tc.served)
		if want := (Exposure{tc.expired, tc.forgotten}); got != want || !got.Genuine().Equal(tc.accepted) {
			t.Errorf("%s: got %+v and %v, want %+v and %v", tc.name, got, got.Genuine(), want, tc.accepted)
		}
	}
}
