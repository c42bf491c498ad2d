package keys

import (
	"context"
	"fmt"
	"time"
)

// ClockReset says what ResetClock did.
type ClockReset struct {
	At      time.Time `json:"at"`      // the time of this machine's clock, which counts from now on
	SeenAt  time.Time `json:"seen_at"` // the latest time that had been seen
	Version uint64    `json:"version"`
	Changed bool      `json:"changed"` // false: the clock was not behind, and nothing was done
}

// ResetClock makes the time of now the latest that was ever seen, for all replicas. It is the way out
// after a clock that was far ahead has been set right: the time that it showed is remembered, and every
// right clock is behind it. No key moves backwards: a step that was taken by the wrong clock counts as
// taken now, and what was planned after it comes as much after now as it was to come after that.
// ErrClock while this machine's clock is off by the others' clocks.
func (m *Manager) ResetClock(ctx context.Context) (r ClockReset, err error) {
	m.stepping.Lock()
	defer m.stepping.Unlock()
	for range maxTries {
		if r, err = m.resetClock(ctx); err != errAgain {
			break
		}
	}
	if err != nil {
		return ClockReset{}, fmt.Errorf("resetting the clock: %w", err)
	}
	m.noteBehind()
	m.saveMark()
	return r, nil
}

func (m *Manager) resetClock(ctx context.Context) (ClockReset, error) {
	err := m.read(ctx)
	m.noteRead(err)
	if err != nil {
		return ClockReset{}, err
	}
	if c := m.clock.Status(); c.Off {
		return ClockReset{}, m.clock.OffError(c.Offset)
	}
	cur, seen := m.state.Load(), m.clock.Latest()
	wall := m.cfg.Now()
	now := wall.Round(0).UTC().Truncate(time.Millisecond)
	r := ClockReset{At: now, SeenAt: seen.UTC(), Version: cur.version}
	if seen.Sub(now) <= m.clock.Tolerance() {
		return r, nil
	}
	ring := cur.ring.broughtBack(seen, now)
	ring.ClockResets = m.clock.Resets() + 1
	next, swapped, err := m.write(ctx, cur.version, cur.version+1, ring, m.MasterKeyInUse())
	if err != nil {
		return ClockReset{}, err
	}
	if !swapped {
		return ClockReset{}, errAgain
	}
	next.readAt = wall
	m.clock.Reset(wall, ring.ClockResets)
	if err := m.adopt(next, wall); err != nil {
		return ClockReset{}, err
	}
	m.announce(next.version, []Transition{{Step: StepReset, At: now}})
	r.Version, r.Changed = next.version, true
	return r, nil
}

// broughtBack is the ring with all its times moved from a clock that showed high to one that shows now.
// Each key is in the same state at now as it was at high.
func (r Ring) broughtBack(high, now time.Time) Ring {
	r = r.clone()
	ahead := high.Sub(now)
	move := func(t *time.Time) {
		switch {
		case t.IsZero() || !t.After(now): // before the clock was wrong
		case !t.After(high):
			*t = now
		default:
			*t = t.Add(-ahead)
		}
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		for _, t := range []*time.Time{&k.CreatedAt, &k.PublishAt, &k.ActivateAt, &k.RetireAt, &k.RemoveAt, &k.RevokedAt} {
			move(t)
		}
	}
	for i := range r.Tombstones {
		move(&r.Tombstones[i].RemovedAt)
	}
	for i := range r.Leaving {
		move(&r.Leaving[i].At)
		move(&r.Leaving[i].KeptUntil)
	}
	r.SeenAt = now
	return r
}
