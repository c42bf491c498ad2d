package keys

import (
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
