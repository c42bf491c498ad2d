package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signet/keys/timetable"
)

func TestDefaultTimetableIsThatOfPackageTimetable(t *testing.T) {
	if got := Default().Keys.Timetable(); got != timetable.Default() {
		t.Errorf("got %+v", got)
	}
}

// TestCheckTimetable: every broken rule is worded with its settings, by how much, and what to change.
func TestCheckTimetable(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Keys)
		want   []string
	}{
		{"publish at its limit", func(k *Keys) { k.Publish = 8*time.Hour + time.Minute }, nil},
		{"publish below", func(k *Keys) { k.Publish = 8 * time.Hour }, []string{"keys.publish is 8h and must be at least 8h1m", "keys.serve_stale 6h + keys.cdn 1h + keys.cache 1h + keys.skew 1m", "raise keys.publish by 1m or"}},
		{"retain at its limit", func(k *Keys) { k.Retain = 76 * time.Minute }, nil},
		{"retain below", func(k *Keys) { k.Retain = 75 * time.Minute }, []string{"keys.retain is 1h15m", "raise keys.retain by 1m or"}},
		{"sign_stale not below serve_stale", func(k *Keys) { k.SignStale = k.ServeStale }, []string{"keys.serve_stale is 6h and must be longer than keys.sign_stale 6h", "raise keys.serve_stale above 6h or lower keys.sign_stale below 6h"}},
		{"no CDN, no skew, no leeway", func(k *Keys) { k.CDN, k.Skew, k.Leeway = 0, 0, 0 }, nil},
		{"negative", func(k *Keys) { k.Skew = -1 }, []string{"keys.skew", "positive"}},
		{"zero", func(k *Keys) { k.Active = 0 }, []string{"keys.active is 0s and must be positive"}},
		{"overflow", func(k *Keys) { k.Cache = 1<<63 - 1 }, []string{"keys.cache", "at most 7300d"}},
		{"poll", func(k *Keys) { k.Poll = 6 * time.Minute }, []string{"keys.poll is 6m and must be positive and at most half of keys.sign_stale (10m)"}},
		{"all at once", func(k *Keys) { k.Publish, k.Retain, k.SignStale, k.Active, k.Poll = 1, 1, k.ServeStale, 0, -1 },
			[]string{"keys.publish", "keys.retain", "keys.serve_stale", "keys.active", "keys.poll"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := Default().Keys
			tc.change(&k)
			err := k.CheckTimetable()
			if (err == nil) != (tc.want == nil) {
				t.Fatalf("got %v, want an error: %v", err, tc.want != nil)
			}
			for _, part := range tc.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error does not say %q: %v", part, err)
				}
			}
		})
	}
}

func TestTimetableMargins(t *testing.T) {
	k := Default().Keys
	k.Retain = 76 * time.Minute
	want := []string{
		"keys.publish 24h is 15h59m longer than the longest that a verifier can go without seeing a new key (keys.serve_stale 6h + keys.cdn 1h + keys.cache 1h + keys.skew 1m)",
		"keys.retain 1h16m is just as long as the longest that a token can be accepted after its key has retired (keys.sign_stale 10m + keys.skew 1m + keys.max_token_life 1h + keys.leeway 5m)",
		"keys.serve_stale 6h is 5h50m longer than the longest that a replica signs by itself (keys.sign_stale 10m)",
	}
	if got := k.TimetableMargins(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	k.Publish = time.Hour
	if got := k.TimetableMargins(); !slices.Equal(got, want[1:]) {
		t.Errorf("with one rule broken: got %q, want the others", got)
	}
}
