package rotation

import (
	"slices"
)

// bury turns keys that are gone into tombstones. A revoked one stays for Retain, so that operators see it.
func (d *Draft) bury() {
	d.remove(func(k Key) bool {
		switch k.State(d.now) {
		case Removed:
			return true
		case Revoked:
			return reached(k.RevokedAt.Add(d.tt.Retain), d.now)
		default:
			return false
		}
	})
	d.ring.Leaving = slices.DeleteFunc(d.ring.Leaving, func(l Leaving) bool {
		return !slices.ContainsFunc(d.ring.Keys, func(k Key) bool { return k.Alg == l.Alg })
	})
}

func (d *Draft) remove(gone func(Key) bool) {
	d.ring.Keys = slices.DeleteFunc(d.ring.Keys, func(k Key) bool {
		if !gone(k) {
			return false
		}
		d.ring.Tombstones = append(d.ring.Tombstones, Tombstone{k.KID, d.now, !k.RevokedAt.IsZero()})
		d.record(StepRemoved, k, d.now)
		return true
	})
}

// unconfigured returns the keyring's algorithms that are not in algs.
func (d *Draft) unconfigured(algs []string) (others []string) {
	for _, k := range d.ring.Keys {
		if !slices.Contains(algs, k.Alg) && !slices.Contains(others, k.Alg) {
			others = append(others, k.Alg)
		}
	}
	return others
}

// cancelRetirement keeps an algorithm that another replica is not configured for.
func (d *Draft) cancelRetirement(alg string) {
	i := d.leaving(alg)
	if i < 0 || d.ring.Leaving[i].At.IsZero() {
		return
	}
	d.ring.Leaving[i] = Leaving{Alg: alg, KeptUntil: d.now.Add(d.tt.Publish)}
	d.record(StepKept, Key{Alg: alg}, d.now)
}

// retireAlgorithm announces the end of an algorithm, and ends it when Publish has passed without a
// cancellation. While none of the configured algorithms signs yet it does neither.
func (d *Draft) retireAlgorithm(alg string, configured []string) {
	if !slices.ContainsFunc(configured, func(a string) bool { return d.find(a, Active) != nil }) {
		return
	}
	i := d.leaving(alg)
	if i < 0 {
		d.ring.Leaving = append(d.ring.Leaving, Leaving{Alg: alg})
		i = len(d.ring.Leaving) - 1
	}
	switch l := &d.ring.Leaving[i]; {
	case !l.At.IsZero():
		if reached(l.At, d.now) {
			d.endAlgorithm(alg)
		}
	case !d.now.Before(l.KeptUntil):
		l.At = d.now.Add(d.tt.Publish)
		d.record(StepLeaving, Key{Alg: alg}, l.At)
	}
}

// endAlgorithm drops the algorithm's successor and retires its active key.
func (d *Draft) endAlgorithm(alg string) {
	if pending := d.find(alg, Pending); pending != nil {
		// A replica that holds the old plan may still follow it, so a successor is not removed shortly
		// before it activates: then it is retired instead.
		if pending.ActivateAt.Before(d.now.Add(d.tt.SignStale + d.tt.Skew + d.notice)) {
			return
		}
		kid := pending.KID
		d.remove(func(k Key) bool { return k.KID == kid })
	}
	end := d.now.Add(d.notice)
	if active := d.find(alg, Active); active != nil && (active.RetireAt.IsZero() || active.RetireAt.After(end)) {
		active.RetireAt, active.RemoveAt = end, d.removalAfter(*active, end)
		d.record(StepScheduled, *active, end)
	}
}

func (d *Draft) leaving(alg string) int {
	return slices.IndexFunc(d.ring.Leaving, func(l Leaving) bool { return l.Alg == alg })
}
