package keys

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaultTimetableIsValid(t *testing.T) {
	if err := DefaultTimetable().Validate(); err != nil {
		t.Error(err)
	}
}

// A timetable of seconds must not wait ten of them for the store.
func TestNoticeFitsTheTimetable(t *testing.T) {
	tt := DefaultTimetable()
	if got := tt.notice(); got != 10*time.Second {
		t.Errorf("by default: got %v, want 10s", got)
	}
	tt.Publish = 10 * time.Second
	if notice, call := tt.notice(), tt.storageTimeout(); notice != 2*time.Second || call != time.Second {
		t.Errorf("with P = 10 s: got %v, and %v for a call; want 2s and 1s", notice, call)
	}
}

func TestTimetableValidate(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Timetable)
		want   []string
	}{
		{"P at its limit", func(t *Timetable) { t.Publish = 8*time.Hour + time.Minute }, nil},
		{"P below", func(t *Timetable) { t.Publish = 8 * time.Hour }, []string{"P >= D+C+J+S", "keys.publish (P) is 8h and must be at least 8h1m", "keys.serve_stale 6h + keys.cdn 1h + keys.cache 1h + keys.skew 1m", "raise keys.publish by 1m or"}},
		{"V at its limit", func(t *Timetable) { t.Retain = 76 * time.Minute }, nil},
		{"V below", func(t *Timetable) { t.Retain = 75 * time.Minute }, []string{"V >= X+S+T+L", "raise keys.retain by 1m or"}},
		{"X not below D", func(t *Timetable) { t.SignStale = t.ServeStale }, []string{"X < D", "keys.serve_stale (D) is 6h and must be longer than keys.sign_stale 6h", "raise keys.serve_stale above 6h or lower keys.sign_stale below 6h"}},
		{"no CDN, no skew, no leeway", func(t *Timetable) { t.EdgeCache, t.ClockSkew, t.Leeway = 0, 0, 0 }, nil},
		{"negative", func(t *Timetable) { t.ClockSkew = -1 }, []string{"keys.skew (S)", "positive"}},
		{"zero", func(t *Timetable) { t.Active = 0 }, []string{"keys.active (K)"}},
		{"overflow", func(t *Timetable) { t.VerifierCache = 1<<63 - 1 }, []string{"keys.cache (J)"}},
		{"all at once", func(t *Timetable) { t.Publish, t.Retain, t.SignStale, t.Active = 1, 1, t.ServeStale, 0 },
			[]string{"P >=", "V >=", "X <", "keys.active (K)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tt := DefaultTimetable()
			tc.change(&tt)
			err := tt.Validate()
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

func TestMargins(t *testing.T) {
	tt := DefaultTimetable()
	tt.Retain = 76 * time.Minute
	want := []string{
		"keys.publish 24h is 15h59m longer than the longest that a verifier can go without seeing a new key (keys.serve_stale 6h + keys.cdn 1h + keys.cache 1h + keys.skew 1m)",
		"keys.retain 1h16m is just as long as the longest that a token can be accepted after its key has retired (keys.sign_stale 10m + keys.skew 1m + keys.max_token_life 1h + keys.leeway 5m)",
		"keys.serve_stale 6h is 5h50m longer than the longest that a replica signs by itself (keys.sign_stale 10m)",
	}
	if got := tt.Margins(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := tt.VerifierBudget(), 16*time.Hour+59*time.Minute; got != want {
		t.Errorf("for verifiers: got %v, want %v", got, want)
	}
	tt.Publish = time.Hour
	if got := tt.Margins(); !slices.Equal(got, want[1:]) {
		t.Errorf("with one rule broken: got %q, want the others", got)
	}
}
