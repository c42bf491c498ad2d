package store

import (
	"context"
	"time"
)

// Limit bounds the failures of one kind of attempt, such as the logins of one account from one network.
//
// An attempt goes through three steps. It reserves a place in every limit before the work is done, it is
// decided, and then it fails, which counts, or it gives its place back. So attempts that are under way
// take places away from others for a moment only, and what succeeds counts nowhere.
type Limit struct {
	Key    string        // opaque; holds no username or address in clear
	Free   int           // failures before an attempt has to wait; also how many attempts may be under way at once
	Window time.Duration // how long failures are remembered
	// Backoff: each failure from Free on doubles the wait, from one second up to this; the window then
	// counts from the last failure. Zero: at Free nothing more until the window, counted from the first
	// failure, is over.
	Backoff time.Duration
	// Same, where not empty, is what repeated attempts have in common. An attempt with the Same of the failure before it, at
	// most SameFor later, is let through without a place, and its failure does not count. (Some client
	// libraries send every refused request twice.) At most 255 bytes.
	Same    []byte
	SameFor time.Duration
	// Forgive: a success forgets the failures.
	Forgive bool
}

// Scope is a set of limits that one step decides about. The same key in two scopes is two limits.
type Scope struct {
	Place  string // what the limits have in common, such as a network. Backends keep a place together
	Limits []Limit
	// From, where not empty, is the network that the attempt comes from: FromSize bytes. The place keeps
	// the networks that attempts have succeeded from; see KeptNetworks. Its limits do not hold for those.
	From []byte
}

const (
	// FromSize is the length of Scope.From.
	FromSize = 6
	// KeptNetworks is how many networks a place keeps; the one that was noted the longest ago goes first.
	KeptNetworks = 8
	// KeptFor is how long it keeps one without a success from there.
	KeptFor = 180 * 24 * time.Hour
	// NotedAgain is how old a note must be before a success renews it, so that most successes write nothing.
	NotedAgain = 14 * 24 * time.Hour
	// ReservedFor is how long an attempt may be under way. One that is not decided by then, because its
	// replica died, counts as failed, except where the store belongs to one process and is opened again.
	// It is longer than the longest request and the clock skew together.
	ReservedFor = 90 * time.Second
)

// AttemptID names an attempt. It is random, and never used again.
type AttemptID [8]byte

// Attempt is one try at something that may fail only so often.
type Attempt struct {
	ID     AttemptID
	Scopes []Scope
}

// Receipt is the places that an attempt holds. Taking them back by the attempt's id, a backend can never
// take those of another attempt, nor any twice. The zero Receipt holds none.
type Receipt struct {
	Attempt
	Places int // limits in which a place was reserved; none for a repeat
}

// Admission is the answer to an attempt. It may go ahead where Wait is 0 and Busy is not set.
type Admission struct {
	Wait    time.Duration // until the next try, because of failures
	Busy    bool          // attempts under way fill a limit: try again in a moment
	Receipt Receipt       // of an attempt that may go ahead
	Reached []string      // keys of limits whose Free was reached just now, by attempts that were never decided
}

// Throttle counts failures, shared between replicas where the backend is. Counts survive an orderly
// restart; a crash may lose the last second of them.
type Throttle interface {
	// Allow takes a place in every limit of the attempt, or, when any refuses, in none. After an error it
	// is not known whether it took places; a Receipt of the attempt gives back what it did take.
	Allow(ctx context.Context, now time.Time, a Attempt) (Admission, error)
	// Fail turns the places into failures. It returns the keys of the limits that had not reached Free before.
	Fail(ctx context.Context, now time.Time, r Receipt) (reached []string, err error)
	// Refund gives the places back.
	Refund(ctx context.Context, now time.Time, r Receipt) error
	// Count counts a failure that is known at once: it is Allow and Fail in one step.
	Count(ctx context.Context, now time.Time, s Scope) (wait time.Duration, err error)

	// ListThrottle returns what is remembered under keys that pick selects, at most limit of them.
	ListThrottle(ctx context.Context, now time.Time, pick func(place, key string) bool, limit int) ([]ThrottleState, error)
	// ClearThrottle forgets the failures under these keys. Keys that are unknown are no error.
	ClearThrottle(ctx context.Context, place string, keys []string) error
}

// WaitAfter is how long the failures of s make the next attempt wait.
func (l Limit) WaitAfter(s ThrottleState, now time.Time) time.Duration {
	switch {
	case s.Failures < l.Free:
		return 0
	case l.Backoff == 0:
		return max(0, s.Until.Sub(now))
	}
	return max(0, s.Last.Add(backoff(int64(s.Failures)-int64(l.Free), l.Backoff)).Sub(now))
}

// ThrottleState is what is remembered of one limit.
type ThrottleState struct {
	Place, Key string
	Failures   int
	UnderWay   int       // places that are reserved
	Last       time.Time // the last failure; zero: none
	Until      time.Time // when the failures are forgotten
}
