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

func TestTimetableValidate(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Timetable)
		want   []string
	}{
		{"P at its limit", func(t *Timetable) { t.Publish = 8*time.Hour + time.Minute }, nil},
		{"P below", func(t *Timetable) { t.Publish = 8 * time.Hour }, []string{"P >= D+C+J+S", "raise publish by 1m0s"}},
		{"V at its limit", func(t *Timetable) { t.Retain = 76 * time.Minute }, nil},
		{"V below", func(t *Timetable) { t.Retain = 75 * time.Minute }, []string{"V >= X+S+T+L", "raise retain by 1m0s"}},
		{"X not below D", func(t *Timetable) { t.SignStale = t.ServeStale }, []string{"X < D"}},
		{"no CDN, no skew, no leeway", func(t *Timetable) { t.EdgeCache, t.ClockSkew, t.Leeway = 0, 0, 0 }, nil},
		{"negative", func(t *Timetable) { t.ClockSkew = -1 }, []string{"clock skew (S)", "positive"}},
		{"zero", func(t *Timetable) { t.Active = 0 }, []string{"active (K)"}},
		{"overflow", func(t *Timetable) { t.VerifierCache = 1<<63 - 1 }, []string{"verifier cache (J)"}},
		{"all at once", func(t *Timetable) { t.Publish, t.Retain, t.SignStale, t.Active = 1, 1, t.ServeStale, 0 },
			[]string{"P >=", "V >=", "X <", "active (K)"}},
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
