package timetable

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

// A timetable of seconds must not wait ten of them for the store.
func TestNoticeFitsTheTimetable(t *testing.T) {
	tt := Default()
	if got := tt.Notice(); got != 10*time.Second {
		t.Errorf("by default: got %v, want 10s", got)
	}
	tt.Publish = 10 * time.Second
	if got := tt.Notice(); got != 2*time.Second {
		t.Errorf("published for 10 s: got %v, want 2s", got)
	}
}

func TestValidate(t *testing.T) {
	type broken struct {
		rule             string
		have, need, most time.Duration
	}
	for _, tc := range []struct {
		name   string
		change func(*Timetable)
		want   []broken
	}{
		{"publish at its limit", func(t *Timetable) { t.Publish = 8*time.Hour + time.Minute }, nil},
		{"publish below", func(t *Timetable) { t.Publish = 8 * time.Hour }, []broken{{"publish >= serve_stale + cdn + cache + skew", 8 * time.Hour, 8*time.Hour + time.Minute, 0}}},
		{"retain at its limit", func(t *Timetable) { t.Retain = 76 * time.Minute }, nil},
		{"retain below", func(t *Timetable) { t.Retain = 75 * time.Minute }, []broken{{"retain >= sign_stale + skew + max_token_life + leeway", 75 * time.Minute, 76 * time.Minute, 0}}},
		{"sign_stale not below serve_stale", func(t *Timetable) { t.SignStale = t.ServeStale }, []broken{{"serve_stale > sign_stale", 6 * time.Hour, 6 * time.Hour, 0}}},
		{"no CDN, no skew, no leeway", func(t *Timetable) { t.CDN, t.Skew, t.Leeway = 0, 0, 0 }, nil},
		{"negative", func(t *Timetable) { t.Skew = -1 }, []broken{{"skew >= 0", -1, 0, 0}}},
		{"zero", func(t *Timetable) { t.Active = 0 }, []broken{{"active > 0", 0, 0, 0}}},
		{"too long", func(t *Timetable) { t.Active = longest + 1 }, []broken{{"active >= 0", longest + 1, 0, longest}}},
		{"all at once", func(t *Timetable) { t.Publish, t.Retain, t.SignStale, t.Active = 1, 1, t.ServeStale, 0 },
			[]broken{{"active > 0", 0, 0, 0}, {"publish >= serve_stale + cdn + cache + skew", 1, 8*time.Hour + time.Minute, 0},
				{"retain >= sign_stale + skew + max_token_life + leeway", 1, 7*time.Hour + 6*time.Minute, 0}, {"serve_stale > sign_stale", 6 * time.Hour, 6 * time.Hour, 0}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tt := Default()
			tc.change(&tt)
			var got []broken
			if joined, ok := tt.Validate().(interface{ Unwrap() []error }); ok {
				for _, err := range joined.Unwrap() {
					var e *RuleError
					if !errors.As(err, &e) {
						t.Fatalf("got %v, want a RuleError", err)
					}
					got = append(got, broken{e.Rule.String(), e.Have, e.Need, e.Most})
				}
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
	tt := Default()
	if tt.Cache = 1<<63 - 1; tt.Validate() == nil {
		t.Error("a sum that overflows is accepted")
	}
}

func TestCheckPoll(t *testing.T) {
	tt := Default()
	for poll, good := range map[time.Duration]bool{0: false, -1: false, 1: true, 5 * time.Minute: true, 5*time.Minute + 1: false} {
		var e *RuleError
		err := tt.CheckPoll(poll)
		if good != (err == nil) || err != nil && (!errors.As(err, &e) || e.Term != TermPoll || e.Most != 5*time.Minute) {
			t.Errorf("%v: got %v", poll, err)
		}
	}
}

func TestMargins(t *testing.T) {
	tt := Default()
	tt.Retain = 76 * time.Minute
	want := []time.Duration{15*time.Hour + 59*time.Minute, 0, 5*time.Hour + 50*time.Minute}
	margins := func() (all []time.Duration) {
		for _, m := range tt.Margins() {
			all = append(all, m.Have-m.Need)
		}
		return all
	}
	if got := margins(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := tt.VerifierBudget(), 16*time.Hour+59*time.Minute; got != want {
		t.Errorf("for verifiers: got %v, want %v", got, want)
	}
	tt.Publish = time.Hour
	if got := margins(); !slices.Equal(got, want[1:]) {
		t.Errorf("with one rule broken: got %v, want the others", got)
	}
}
