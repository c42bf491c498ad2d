package clockcheck

import "time"

// latest is the highest time that was seen: on this clock while it was right, and in what the caller
// merged. It only grows, until a reset.
type latest struct {
	high   time.Time // without a monotonic reading
	at     time.Time // the last look at this clock, with its monotonic reading; zero: none
	resets uint32    // see Merge
}

// step is how finely the latest time is kept on the path of requests.
const step = time.Second

// merge takes over a latest time that was recorded elsewhere.
func (l latest) merge(seenAt time.Time, resets uint32) latest {
	switch {
	case resets > l.resets:
		l.high, l.resets = seenAt, resets
	case resets == l.resets:
		l.high = later(l.high, seenAt)
	}
	return l
}

// look records what this clock shows, and returns how far that is behind the latest time; zero if it is
// within the tolerance. When the monotonic clock shows that the clock was set back, the time that it would
// show counts as seen.
func (l latest) look(now time.Time, tolerance time.Duration) (next latest, behind time.Duration) {
	next = l
	wall := now.Round(0)
	if !l.at.IsZero() && jump(l.at, now) < -tolerance {
		next.high = later(next.high, l.at.Round(0).Add(now.Sub(l.at)))
	}
	next.at = now
	if behind = next.high.Sub(wall); behind > tolerance {
		return next, behind
	}
	next.high = later(next.high, wall)
	return next, 0
}

// update changes the latest time in one step.
func (c *Clock) update(change func(latest) latest) {
	for {
		old := c.latest.Load()
		next := change(*old)
		if next == *old || c.latest.CompareAndSwap(old, &next) {
			return
		}
	}
}

// Look records a reading of this clock, and returns how far it is behind the latest time; zero if that is
// within the tolerance. It is on the path of each request, so it writes only where there is something to
// write.
func (c *Clock) Look(now time.Time) (behind time.Duration) {
	old := c.latest.Load()
	wall := now.Round(0)
	if since := wall.Sub(old.at.Round(0)); since >= 0 && since < step && old.high.Sub(wall) <= c.tolerance {
		return 0
	}
	c.update(func(l latest) (next latest) {
		next, behind = l.look(now, c.tolerance)
		return next
	})
	return behind
}

// Behind returns how far this clock is behind the latest time, if that is more than the tolerance: then
// the clock is wrong. Otherwise it returns zero.
func (c *Clock) Behind() time.Duration { return c.BehindAt(c.now()) }

// BehindAt is Behind for a reading that was just taken.
func (c *Clock) BehindAt(now time.Time) time.Duration {
	if by := c.Latest().Sub(now.Round(0)); by > c.tolerance {
		return by
	}
	return 0
}

// Latest returns the latest time that was seen.
func (c *Clock) Latest() time.Time { return c.latest.Load().high }

// Resets returns after how many resets Latest was seen.
func (c *Clock) Resets() uint32 { return c.latest.Load().resets }

// Raise records that the time was seen.
func (c *Clock) Raise(seen time.Time) {
	c.update(func(l latest) latest {
		l.high = later(l.high, seen)
		return l
	})
}

// Merge takes over a latest time that was recorded elsewhere after so many resets. Of two times the one
// after more resets counts, even if it is earlier.
func (c *Clock) Merge(seenAt time.Time, resets uint32) {
	c.update(func(l latest) latest { return l.merge(seenAt, resets) })
}

// Reset makes the reading the latest time, as of that reset.
func (c *Clock) Reset(now time.Time, resets uint32) {
	c.latest.Store(&latest{high: now.Round(0).UTC().Truncate(time.Millisecond), at: now, resets: resets})
}
