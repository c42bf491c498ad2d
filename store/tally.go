package store

import (
	"bytes"
	"math"
	"slices"
	"time"
)

// Tally is what is remembered under one Limit. Its methods are the rules that every backend follows: the
// embedded store calls them, and the scripts of the Redis store are checked against them.
type Tally struct {
	Failures uint32
	First    time.Time // the failure that the window of a limit without backoff counts from
	Last     time.Time // the last failure
	Ends     time.Time // when the failures are forgotten
	Same     []byte    // of the last failure
	Reserved []Reservation
}

// Reservation is the place of an attempt that is under way.
type Reservation struct {
	ID    AttemptID
	Until time.Time // when it counts as failed
}

// Empty reports whether there is nothing to remember.
func (t *Tally) Empty() bool { return t.Failures == 0 && len(t.Reserved) == 0 }

// State is the tally as an operator sees it.
func (t *Tally) State(place, key string) ThrottleState {
	return ThrottleState{Place: place, Key: key, Failures: int(t.Failures), UnderWay: len(t.Reserved), Last: t.Last, Until: t.Ends}
}

// Forgotten is when a backend may delete the record.
func (t *Tally) Forgotten(window time.Duration) time.Time {
	end := t.Ends
	for _, r := range t.Reserved {
		if late := r.Until.Add(window); late.After(end) {
			end = late
		}
	}
	return end
}

// settle brings the tally to now: what was never decided has failed, and what is too old is forgotten. It
// returns the time to go on with, which is later than now where the clock ran backwards, and whether
// the failures have reached l.Free.
func (t *Tally) settle(now time.Time, l Limit) (at time.Time, reached bool) {
	at = now
	if t.Failures > 0 && at.Before(t.Last) {
		at = t.Last
	}
	slices.SortStableFunc(t.Reserved, func(a, b Reservation) int { return a.Until.Compare(b.Until) })
	for len(t.Reserved) > 0 && !at.Before(t.Reserved[0].Until) {
		until := t.Reserved[0].Until
		t.Reserved = t.Reserved[1:]
		reached = t.fail(until, l, nil) || reached
	}
	t.forget(at)
	return at, reached
}

func (t *Tally) forget(at time.Time) {
	if t.Failures > 0 && !at.Before(t.Ends) {
		t.Failures, t.First, t.Last, t.Ends, t.Same = 0, time.Time{}, time.Time{}, time.Time{}, nil
	}
}

// fail counts one failure and reports whether it was the one that reached l.Free.
func (t *Tally) fail(at time.Time, l Limit, same []byte) (reached bool) {
	if t.Failures > 0 && at.Before(t.Last) {
		at = t.Last
	}
	t.forget(at)
	if t.Failures == 0 {
		t.First = at
	}
	if t.Failures < math.MaxUint32 {
		t.Failures++
	}
	t.Last, t.Same = at, bytes.Clone(same)
	t.Ends = t.First.Add(l.Window)
	if l.Backoff > 0 {
		t.Ends = t.Last.Add(l.Window)
	}
	return int64(t.Failures) == int64(l.Free)
}

func (t *Tally) repeats(at time.Time, l Limit) bool {
	return t.Failures > 0 && len(l.Same) > 0 && bytes.Equal(l.Same, t.Same) && at.Sub(t.Last) <= l.SameFor
}

// wait is how long failures make the next attempt wait.
func (t *Tally) wait(at time.Time, l Limit) time.Duration {
	switch {
	case int64(t.Failures) < int64(l.Free):
		return 0
	case l.Backoff == 0 && t.Failures == 0: // a limit of nothing
		return l.Window
	case l.Backoff == 0:
		return t.First.Add(l.Window).Sub(at)
	case t.Failures == 0:
		return 0
	}
	return max(0, t.Last.Add(backoff(int64(t.Failures)-int64(l.Free), l.Backoff)).Sub(at))
}

// backoff is 1, 2, 4 … seconds, and never more than most.
func backoff(above int64, most time.Duration) time.Duration {
	if above > 32 {
		return most
	}
	return min(time.Second<<above, most)
}

// Verdict is what one limit answers.
type Verdict struct {
	Wait    time.Duration
	Busy    bool
	Place   bool // the attempt needs a place; a repeat does not
	Reached bool // an attempt that was never decided has made the failures reach Free
}

// Ask brings the tally to now and answers an attempt, without giving it a place.
func (t *Tally) Ask(now time.Time, l Limit) Verdict {
	at, reached := t.settle(now, l)
	v := Verdict{Reached: reached}
	if t.repeats(at, l) {
		return v
	}
	v.Place = true
	underWay := int64(len(t.Reserved))
	switch v.Wait = t.wait(at, l); {
	case v.Wait > 0:
	case int64(t.Failures) < int64(l.Free):
		v.Busy = int64(t.Failures)+underWay >= int64(l.Free)
	default: // with backoff: one at a time
		v.Busy = underWay > 0
	}
	return v
}

// Take gives the attempt a place. Ask has come before.
func (t *Tally) Take(now time.Time, id AttemptID) {
	t.Reserved = append(t.Reserved, Reservation{id, now.Add(ReservedFor)})
}

// Fail turns the attempt's place into a failure and reports whether the failures have reached l.Free. An
// attempt without a place changes nothing.
func (t *Tally) Fail(now time.Time, id AttemptID, l Limit) (reached bool) {
	at, reached := t.settle(now, l)
	if !t.drop(id) || t.repeats(at, l) {
		return reached
	}
	return t.fail(at, l, l.Same) || reached
}

// CountNow counts a failure that took no place.
func (t *Tally) CountNow(now time.Time, l Limit) { t.fail(now, l, l.Same) }

// Refund takes the attempt's place back.
func (t *Tally) Refund(id AttemptID) { t.drop(id) }

// Succeed takes the attempt's place back and, where the limit forgives, forgets the failures.
func (t *Tally) Succeed(id AttemptID, l Limit) {
	t.drop(id)
	if l.Forgive {
		t.Clear()
	}
}

// Clear forgets the failures.
func (t *Tally) Clear() { *t = Tally{Reserved: t.Reserved} }

func (t *Tally) drop(id AttemptID) (had bool) {
	n := len(t.Reserved)
	t.Reserved = slices.DeleteFunc(slices.Clone(t.Reserved), func(r Reservation) bool { return r.ID == id })
	return len(t.Reserved) < n
}

// Networks are those that attempts at a place have succeeded from, the one that was noted last in front.
type Networks []Network

// Network is one of them.
type Network struct {
	From [FromSize]byte
	Day  uint16 // when it was noted, in days since 1970
}

func day(now time.Time) uint16 { return uint16(max(0, now.Unix()) / (24 * 60 * 60)) }

// Has reports whether attempts have succeeded from there.
func (n Networks) Has(now time.Time, from []byte) bool {
	at := n.index(from)
	return at >= 0 && !n[at].old(now, KeptFor)
}

func (n Networks) index(from []byte) int {
	return slices.IndexFunc(n, func(k Network) bool { return bytes.Equal(k.From[:], from) })
}

func (k Network) old(now time.Time, most time.Duration) bool {
	return int(day(now))-int(k.Day) >= int(most/(24*time.Hour))
}

// Note returns the networks with that one in front; changed is false where it was noted not long ago.
func (n Networks) Note(now time.Time, from []byte) (noted Networks, changed bool) {
	at := n.index(from)
	if at >= 0 && !n[at].old(now, NotedAgain) {
		return n, false
	}
	noted = Networks{{From: [FromSize]byte(from), Day: day(now)}}
	for i, k := range n {
		if i != at && len(noted) < KeptNetworks && !k.old(now, KeptFor) {
			noted = append(noted, k)
		}
	}
	return noted, true
}
