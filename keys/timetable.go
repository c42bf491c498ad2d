package keys

import (
	"errors"
	"fmt"
	"time"
)

// Timetable holds the durations that a key's life follows. The letters are those of the design;
// doc.go draws the life and proves why the inequalities keep every verifier supplied.
type Timetable struct {
	VerifierCache time.Duration // J: the longest a verifier may cache the key set; default 1 h
	EdgeCache     time.Duration // C: the longest a CDN or proxy serves it stale, stale-if-error included; default 1 h
	ClockSkew     time.Duration // S: the most by which the clocks of two replicas differ; default 60 s
	TokenLife     time.Duration // T: the longest lifetime of any JWT; default 1 h
	Leeway        time.Duration // L: what a verifier may add to exp; default 5 min
	SignStale     time.Duration // X: the longest a replica signs without having read the keyring; default 10 min
	ServeStale    time.Duration // D: the longest a replica serves the key set without having read the keyring; default 6 h
	Publish       time.Duration // P: from published to active; default 24 h
	Active        time.Duration // K: how long a key signs; longer where its successor is not yet Publish old; default 30 d
	Retain        time.Duration // V: from retired to removed; default 24 h
}

// DefaultTimetable returns the defaults.
func DefaultTimetable() Timetable {
	return Timetable{
		VerifierCache: time.Hour,
		EdgeCache:     time.Hour,
		ClockSkew:     time.Minute,
		TokenLife:     time.Hour,
		Leeway:        5 * time.Minute,
		SignStale:     10 * time.Minute,
		ServeStale:    6 * time.Hour,
		Publish:       24 * time.Hour,
		Active:        30 * 24 * time.Hour,
		Retain:        24 * time.Hour,
	}
}

// Validate returns nil or every problem at once, each saying which rule is broken, by how much, and
// which setting to change.
func (t Timetable) Validate() error {
	problems := t.ranges()
	if need := t.ServeStale + t.EdgeCache + t.VerifierCache + t.ClockSkew; t.Publish < need {
		problems = append(problems, fmt.Errorf("publish (P) is %v and must be at least %v, or P >= D+C+J+S is broken "+
			"(serve stale %v + edge cache %v + verifier cache %v + clock skew %v): raise publish by %v or lower one of these",
			t.Publish, need, t.ServeStale, t.EdgeCache, t.VerifierCache, t.ClockSkew, need-t.Publish))
	}
	if need := t.SignStale + t.ClockSkew + t.TokenLife + t.Leeway; t.Retain < need {
		problems = append(problems, fmt.Errorf("retain (V) is %v and must be at least %v, or V >= X+S+T+L is broken "+
			"(sign stale %v + clock skew %v + token life %v + leeway %v): raise retain by %v or lower one of these",
			t.Retain, need, t.SignStale, t.ClockSkew, t.TokenLife, t.Leeway, need-t.Retain))
	}
	if t.SignStale >= t.ServeStale {
		problems = append(problems, fmt.Errorf("sign stale (X) is %v and must be below serve stale (D) %v, or X < D is broken: "+
			"raise serve stale by more than %v or lower sign stale", t.SignStale, t.ServeStale, t.SignStale-t.ServeStale))
	}
	return errors.Join(problems...)
}

// longest is the most that a duration here may be; it keeps sums far from overflow.
const longest = 20 * 365 * 24 * time.Hour

// ranges checks each duration by itself.
func (t Timetable) ranges() (problems []error) {
	for _, f := range []struct {
		name   string
		d      time.Duration
		zeroOK bool
	}{
		{"verifier cache (J)", t.VerifierCache, true},
		{"edge cache (C)", t.EdgeCache, true},
		{"clock skew (S)", t.ClockSkew, true},
		{"token life (T)", t.TokenLife, false},
		{"leeway (L)", t.Leeway, true},
		{"sign stale (X)", t.SignStale, false},
		{"serve stale (D)", t.ServeStale, false},
		{"publish (P)", t.Publish, false},
		{"active (K)", t.Active, false},
		{"retain (V)", t.Retain, false},
	} {
		switch {
		case f.d < 0, f.d == 0 && !f.zeroOK:
			problems = append(problems, fmt.Errorf("%s is %v and must be positive", f.name, f.d))
		case f.d > longest:
			problems = append(problems, fmt.Errorf("%s is %v and must be at most %v", f.name, f.d, longest))
		}
	}
	return problems
}
