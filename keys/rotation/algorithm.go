package rotation

import (
	"slices"
)

// bury turns keys that are gone into tombstones. A revoked one stays for Retain, so that operators see it.
func (d *Draft) bury() {
	d.remove(func(k Key) bool {
		switch k.State(d.Now) {
		case Removed:
			return true
		case Revoked:
			return reached(k.RevokedAt.Add(d.tt.Retain), d.Now)
		default:
			return false
		}
	})
	d.Keyring.Leaving = slices.DeleteFunc(d.Keyring.Leaving, func(l Leaving) bool {
		return !slices.ContainsFunc(d.Keyring.Keys, func(k Key) bool { return k.Alg == l.Alg })
	})
}

// unconfigured returns the keyring's algorithms that are not in algs.
func (r Keyring) unconfigured(algs []string) (others []string) {
	for _, k := range r.Keys {
		if !slices.Contains(algs, k.Alg) && !slices.Contains(others, k.Alg) {
			others = append(others, k.Alg)
		}
	}
	return others
}

// cancelRetirement keeps an algorithm that another replica is not configured for.
func (d *Draft) cancelRetirement(alg string) {
	i := d.Keyring.leaving(alg)
	if i < 0 || d.Keyring.Leaving[i].At.IsZero() {
		return
	}
	d.Keyring.Leaving[i] = Leaving{Alg: alg, KeptUntil: d.Now.Add(d.tt.Publish)}
	d.record(StepKept, Key{Alg: alg}, d.Now)
}

// retireAlgorithm announces the end of an algorithm, and ends it when Publish has passed without a
// cancellation. While none of the configured algorithms signs yet it does neither.
func (d *Draft) retireAlgorithm(alg string, configured []string) {
	if !slices.ContainsFunc(configured, func(a string) bool { return d.find(a, Active) != nil }) {
		return
	}
	i := d.Keyring.leaving(alg)
	if i < 0 {
		d.Keyring.Leaving = append(d.Keyring.Leaving, Leaving{Alg: alg})
		i = len(d.Keyring.Leaving) - 1
	}
	switch l := &d.Keyring.Leaving[i]; {
	case !l.At.IsZero():
		if reached(l.At, d.Now) {
			d.endAlgorithm(alg)
		}
	case !d.Now.Before(l.KeptUntil):
		l.At = d.Now.Add(d.tt.Publish)
		d.record(StepLeaving, Key{Alg: alg}, l.At)
	}
}

// endAlgorithm drops the algorithm's successor and retires its active key.
func (d *Draft) endAlgorithm(alg string) {
	if pending := d.find(alg, Pending); pending != nil {
		// A replica that holds the old plan may still follow it, so a successor is not removed shortly
		// before it activates: then it is retired instead.
		if pending.ActivateAt.Before(d.Now.Add(d.tt.SignStale + d.tt.Skew + d.notice)) {
			return
		}
		kid := pending.KID
		d.remove(func(k Key) bool { return k.KID == kid })
	}
	end := d.Now.Add(d.notice)
	if active := d.find(alg, Active); active != nil && (active.RetireAt.IsZero() || active.RetireAt.After(end)) {
		active.RetireAt, active.RemoveAt = end, active.removalAfter(d.tt, end)
		d.record(StepScheduled, *active, end)
	}
}

func (r Keyring) leaving(alg string) int {
	return slices.IndexFunc(r.Leaving, func(l Leaving) bool { return l.Alg == alg })
}
