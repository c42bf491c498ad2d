package keys

import (
	"slices"
	"time"
)

// changesAfter returns the first moment after now at which Advance could find something to do or a
// key changes its state; zero when there is none.
func (r Ring) changesAfter(now time.Time, tt Timetable) (next time.Time) {
	for _, t := range r.moments(tt) {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

// moments are the times that matter to Advance, in no order.
func (r Ring) moments(tt Timetable) (all []time.Time) {
	for _, k := range r.Keys {
		changes := k.changes()
		all = append(all, changes[:]...)
		if !k.RevokedAt.IsZero() {
			all = append(all, k.RevokedAt.Add(tt.Retain))
		}
	}
	for _, l := range r.Leaving {
		all = append(all, l.At, l.KeptUntil)
	}
	return slices.DeleteFunc(all, time.Time.IsZero)
}

// overdue returns since when the ring has waited to be advanced; zero when it does not.
func (r Ring) overdue(tt Timetable, algs []string, now time.Time) time.Time {
	waits := func(at time.Time) bool {
		_, steps, err := Advance(r, tt, algs, at, letters())
		return err == nil && len(steps) > 0
	}
	if !waits(now) {
		return time.Time{}
	}
	moments := slices.DeleteFunc(r.moments(tt), func(t time.Time) bool { return t.After(now) })
	slices.SortFunc(moments, time.Time.Compare)
	since := now // what is due for another reason, a new timetable for one, is due from now on
	for _, at := range slices.Backward(moments) {
		if !waits(at) {
			break
		}
		since = at
	}
	return since
}

// NextStep is when the next step of any key is planned. It lies in the past while what was due then
// waits to be written: no replica can, or none runs. Zero when nothing is planned.
func (m *Manager) NextStep() time.Time {
	now, ring := m.clock.Correct(m.cfg.Now()), m.state.Load().ring
	if since := ring.overdue(m.cfg.Timetable, m.cfg.Algorithms, now); !since.IsZero() {
		return since
	}
	return ring.changesAfter(now, m.cfg.Timetable)
}
