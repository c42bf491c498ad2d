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
// which setting to change. Settings are named as they are in the configuration.
func (t Timetable) Validate() error {
	problems := t.ranges()
	for _, r := range t.rules() {
		if err := r.check(); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// CheckPoll says whether a replica that reads the keyring every poll ± 20 % reads it often enough to
// survive a read that fails.
func (t Timetable) CheckPoll(poll time.Duration) error {
	if poll > 0 && poll <= t.SignStale/2 {
		return nil
	}
	return fmt.Errorf("keys.poll is %s and must be positive and at most half of keys.sign_stale (%s): lower the one or raise the other",
		spell(poll), spell(t.SignStale))
}

// notice is how far ahead every change is planned, and so how long its proposal may take to reach
// the store. A timetable of seconds cannot wait as long as the others can.
func (t Timetable) notice() time.Duration { return min(10*time.Second, t.Publish/5) }

// storageTimeout is for one call of the store: a proposal is there within its notice, or given up.
func (t Timetable) storageTimeout() time.Duration { return t.notice() / 2 }

// longest is the most that a duration here may be; it keeps sums far from overflow.
const longest = 20 * 365 * 24 * time.Hour

// ranges checks each duration by itself.
func (t Timetable) ranges() (problems []error) {
	for _, f := range []struct {
		setting
		zeroOK bool
	}{
		{t.cache(), true},
		{t.cdn(), true},
		{t.skew(), true},
		{t.maxTokenLife(), false},
		{t.leeway(), true},
		{t.signStale(), false},
		{t.serveStale(), false},
		{t.publish(), false},
		{setting{"keys.active", "K", t.Active}, false},
		{t.retain(), false},
	} {
		switch {
		case f.d < 0, f.d == 0 && !f.zeroOK:
			problems = append(problems, fmt.Errorf("%s (%s) is %s and must be positive", f.name, f.letter, spell(f.d)))
		case f.d > longest:
			problems = append(problems, fmt.Errorf("%s (%s) is %s and must be at most %s", f.name, f.letter, spell(f.d), spell(longest)))
		}
	}
	return problems
}
