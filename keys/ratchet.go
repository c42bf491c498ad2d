package keys

import (
	"fmt"
	"time"
)

// ratchet is the highest time that a replica has seen: on its own clock while that was right, in the
// keyring, and in its mark of an earlier run. Keys are never looked at as of an earlier moment.
type ratchet struct {
	high   time.Time // without a monotonic reading
	at     time.Time // the last look at this clock, with its monotonic reading; zero: none
	resets uint32    // see Ring.ClockResets
}

// ratchetStep is how finely the highest time is kept. It is exact where a key has changed its state.
const ratchetStep = time.Second

// merge takes over a highest time that was written down. One from before a reset counts no more.
func (r ratchet) merge(seenAt time.Time, resets uint32) ratchet {
	switch {
	case resets > r.resets:
		r.high, r.resets = seenAt, resets
	case resets == r.resets:
		r.high = later(r.high, seenAt)
	}
	return r
}

// look takes down what this clock shows, and returns how far that is behind the highest time; zero where
// it is within the tolerance. A clock that was set back is noticed by the monotonic clock too: the time
// that it would show counts as seen.
func (r ratchet) look(now time.Time, tolerance time.Duration) (next ratchet, behind time.Duration) {
	next = r
	wall := now.Round(0)
	if !r.at.IsZero() && jump(r.at, now) < -tolerance {
		next.high = later(next.high, r.at.Round(0).Add(now.Sub(r.at)))
	}
	next.at = now
	if behind = next.high.Sub(wall); behind > tolerance {
		return next, behind
	}
	next.high = later(next.high, wall)
	return next, 0
}

// update changes the ratchet in one step.
func (m *Manager) update(change func(ratchet) ratchet) ratchet {
	for {
		old := m.seen.Load()
		next := change(*old)
		if next == *old || m.seen.CompareAndSwap(old, &next) {
			return next
		}
	}
}

// look is that of the ratchet. It is on the path of each request, so it writes only where there is
// something to write.
func (m *Manager) look(now time.Time) (behind time.Duration) {
	old := m.seen.Load()
	wall := now.Round(0)
	if since := wall.Sub(old.at.Round(0)); since >= 0 && since < ratchetStep && old.high.Sub(wall) <= m.skew() {
		return 0
	}
	m.update(func(r ratchet) (next ratchet) {
		next, behind = r.look(now, m.skew())
		return next
	})
	return behind
}

// Behind is how far this replica's clock is behind the highest time that was ever seen, where that is
// more than the clocks may differ: then the clock is wrong. Zero: it is not.
func (m *Manager) Behind() time.Duration { return m.behindAt(m.cfg.Now()) }

func (m *Manager) behindAt(now time.Time) time.Duration {
	if by := m.seen.Load().high.Sub(now.Round(0)); by > m.skew() {
		return by
	}
	return 0
}

// SeenAt is the highest time that this replica knows to have been seen.
func (m *Manager) SeenAt() time.Time { return m.seen.Load().high }

func (m *Manager) clockBehind(by time.Duration) error {
	return fmt.Errorf("%w: it is %v behind the latest time that was seen here, %s, and %v is allowed",
		ErrClock, by.Round(shownTo), m.SeenAt().UTC().Format(time.RFC3339), m.skew())
}
