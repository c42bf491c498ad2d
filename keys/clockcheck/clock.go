package clockcheck

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrClock: this machine's clock differs by more than the tolerance from the other clocks, or is behind the
// latest time that was seen. Times that it shows are wrong.
var ErrClock = errors.New("this machine's clock is off")

// LeastTolerance is tolerated in any case: network delays alone can come to that.
const LeastTolerance = time.Second

// Precision is how exactly an offset is shown: over a network it cannot be measured better.
const Precision = 100 * time.Millisecond

// Clock is the clock of this machine together with the reasons to trust it. Its methods may be called
// concurrently and take no lock but ObserveStorage, ObservePeers and Compare.
type Clock struct {
	now       func() time.Time
	tolerance time.Duration
	doubt     func()
	samples   Samples
	compared  atomic.Pointer[comparison] // never nil
	latest    atomic.Pointer[latest]     // never nil
}

// comparison is a Status and when it was found, by this clock.
type comparison struct {
	Status
	at time.Time
}

// New returns a Clock that reads now and tolerates a difference of tolerance, or LeastTolerance if that is
// more. It calls doubt when the clocks should be compared again soon; doubt must not block.
func New(now func() time.Time, tolerance time.Duration, doubt func()) *Clock {
	c := &Clock{now: now, tolerance: max(tolerance, LeastTolerance), doubt: doubt}
	c.compared.Store(&comparison{})
	c.latest.Store(&latest{})
	return c
}

// Reading returns what the clock shows, right or wrong, with its monotonic reading.
func (c *Clock) Reading() time.Time { return c.now() }

// Now returns the most probable time: see Correct.
func (c *Clock) Now() time.Time { return c.Correct(c.now()) }

// Tolerance returns the difference that is tolerated.
func (c *Clock) Tolerance() time.Duration { return c.tolerance }

// ObserveStorage records what the storage's clock showed at some moment since before, by this clock.
func (c *Clock) ObserveStorage(at, before time.Time) { c.samples.ObserveStorage(at, before, c.now()) }

// ObservePeers records what the clocks of the other replicas showed in the newest heartbeat of each.
// asked is when reading the heartbeats began, by this clock.
func (c *Clock) ObservePeers(asked time.Time, clocks map[string]time.Time) {
	now := c.now()
	c.samples.ObservePeers(clocks, asked, now)
	if was, is := c.Status(), c.samples.Evaluate(now, c.tolerance); was.Off != is.Off || was.Disputed != is.Disputed {
		c.doubt() // the next comparison decides
	}
}

// Compare evaluates the samples. Status returns the result until the next comparison.
func (c *Clock) Compare() Status {
	now := c.now()
	status := c.samples.Evaluate(now, c.tolerance)
	c.compared.Store(&comparison{status, now})
	return status
}

// Status returns the result of the last comparison.
func (c *Clock) Status() Status { return c.compared.Load().Status }

// Check returns an ErrClock while the clock is off, has jumped since the last comparison with another,
// or is behind the latest time that was seen. It does no I/O.
func (c *Clock) Check() error { return c.CheckAt(c.now()) }

// CheckAt is Check for a reading that was just taken.
func (c *Clock) CheckAt(now time.Time) error {
	last := c.compared.Load()
	if last.Off {
		return c.OffError(last.Offset)
	}
	if by := jump(last.at, now); last.Known && by.Abs() > c.tolerance {
		c.doubt()
		return fmt.Errorf("%w: it has jumped by %v and was not compared since", ErrClock, by.Round(Precision))
	}
	if behind := c.Look(now); behind > 0 {
		return c.BehindError(behind)
	}
	return nil
}

// OffError is the ErrClock of a clock that the others outvote.
func (c *Clock) OffError(offset time.Duration) error {
	direction := "ahead of"
	if offset < 0 {
		direction = "behind"
	}
	return fmt.Errorf("%w: it is %v %s the others, and %v is allowed", ErrClock, offset.Abs().Round(Precision), direction, c.tolerance)
}

// BehindError is the ErrClock of a clock that is behind the latest time that was seen.
func (c *Clock) BehindError(by time.Duration) error {
	return fmt.Errorf("%w: it is %v behind the latest time that was seen here, %s, and %v is allowed",
		ErrClock, by.Round(Precision), c.Latest().UTC().Format(time.RFC3339), c.tolerance)
}

// Correct returns the most probable time at a reading of this clock: by the others' clocks while this one
// is off, counted from the last comparison where this one has jumped since, and never before the latest
// time that was seen.
func (c *Clock) Correct(now time.Time) time.Time {
	last := c.compared.Load()
	switch {
	case last.Off:
		now = now.Add(-last.Offset)
	case last.Known && jump(last.at, now).Abs() > c.tolerance:
		now = last.at.Round(0).Add(now.Sub(last.at))
	}
	return later(now, c.Latest())
}

// jump returns by how much the wall clock was set, or for how long the machine slept, between two
// readings: the monotonic clock shows neither.
func jump(since, now time.Time) time.Duration {
	return now.Round(0).Sub(since.Round(0)) - now.Sub(since)
}

// Age returns how long ago t was, by the wall clock or the monotonic clock, whichever is more: the first can be
// set back, the second stops while the machine is suspended.
func Age(t, now time.Time) time.Duration {
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
