// Package timetable has the durations that the life of a signing key follows, the inequalities between them, and what
// they mean for verifiers. Package rotation proves that the inequalities keep every verifier supplied with keys.
package timetable

import (
	"errors"
	"time"
)

// Timetable holds the durations that the life of a key follows. Fields are named like the settings of the
// configuration. Rules are the inequalities between them.
type Timetable struct {
	Cache        time.Duration // the longest a verifier may cache the key set; default 1 h
	CDN          time.Duration // the longest a CDN or proxy serves it stale, stale-if-error included; default 1 h
	Skew         time.Duration // the most by which the clocks of two replicas differ; default 60 s
	MaxTokenLife time.Duration // the longest lifetime of any JWT; default 1 h
	Leeway       time.Duration // that a verifier may add to exp; default 5 min
	SignStale    time.Duration // the longest a replica signs without having read the keyring; default 10 min
	ServeStale   time.Duration // the longest a replica serves the key set without having read the keyring; default 6 h
	Publish      time.Duration // from published to active; default 24 h
	Active       time.Duration // that a key signs; longer while its successor is not yet Publish old; default 30 d
	Retain       time.Duration // from retired to removed; default 24 h
}

// Default returns the defaults.
func Default() Timetable {
	return Timetable{
		Cache:        time.Hour,
		CDN:          time.Hour,
		Skew:         time.Minute,
		MaxTokenLife: time.Hour,
		Leeway:       5 * time.Minute,
		SignStale:    10 * time.Minute,
		ServeStale:   6 * time.Hour,
		Publish:      24 * time.Hour,
		Active:       30 * 24 * time.Hour,
		Retain:       24 * time.Hour,
	}
}

// Validate returns nil, or a joined *RuleError for every rule that the timetable breaks.
func (t Timetable) Validate() error {
	var problems []error
	for _, term := range terms {
		if err := t.checkRange(term); err != nil {
			problems = append(problems, err)
		}
	}
	for _, rule := range Rules {
		if m := t.Margin(rule); !m.kept() {
			problems = append(problems, &RuleError{Rule: rule, Have: m.Have, Need: m.Need})
		}
	}
	return errors.Join(problems...)
}

// CheckPoll returns a *RuleError if a replica that reads the keyring every poll ± 20 % reads it too rarely to
// survive a read that fails.
func (t Timetable) CheckPoll(poll time.Duration) error {
	if poll > 0 && poll <= t.SignStale/2 {
		return nil
	}
	return &RuleError{Rule: Rule{Term: TermPoll}, Have: poll, Most: t.SignStale / 2}
}

// longest is the most that a duration may be. It keeps sums far from overflow.
const longest = 20 * 365 * 24 * time.Hour

// checkRange checks one duration by itself.
func (t Timetable) checkRange(term Term) error {
	d := t.Of(term)
	mayBeZero := term == TermCache || term == TermCDN || term == TermSkew || term == TermLeeway || term == TermRetain
	switch {
	case d < 0, d == 0 && !mayBeZero:
		return &RuleError{Rule: Rule{Term: term, Strict: !mayBeZero}, Have: d}
	case d > longest:
		return &RuleError{Rule: Rule{Term: term}, Have: d, Most: longest}
	}
	return nil
}

// VerifierBudget returns the longest that a verifier may cache the key set and still have each key before it
// signs: what Publish leaves after ServeStale, CDN and Skew. It may be more than Cache.
func (t Timetable) VerifierBudget() time.Duration {
	return t.Publish - t.ServeStale - t.CDN - t.Skew
}

// Notice is how far ahead every change is planned, and so how long its proposal may take to reach the
// store. It is shorter for a timetable of seconds.
func (t Timetable) Notice() time.Duration { return min(10*time.Second, t.Publish/5) }

// Hold is how long after its retirement a key can be needed: a replica that has not read of the
// retirement signs for SignStale more, its clock is Skew off, the token lives for MaxTokenLife and the
// verifier adds Leeway.
func (t Timetable) Hold() time.Duration {
	return t.SignStale + t.Skew + t.MaxTokenLife + t.Leeway
}

// PlanLength returns how far a plan reaches by default: a year, or a year's worth of weekly keys where they
// live for less than a week.
func (t Timetable) PlanLength() time.Duration {
	return min(365*24*time.Hour, 53*max(t.Active, t.Publish))
}
