package keys

import (
	"slices"
	"time"
)

// bury turns keys that are gone into tombstones. A revoked one stays for V, so that operators see it.
func (p *planner) bury() {
	p.remove(func(k Key) bool {
		switch k.State(p.now) {
		case Removed:
			return true
		case Revoked:
			return reached(k.RevokedAt.Add(p.tt.Retain), p.now)
		default:
			return false
		}
	})
	p.ring.Leaving = slices.DeleteFunc(p.ring.Leaving, func(l Leaving) bool {
		return !slices.ContainsFunc(p.ring.Keys, func(k Key) bool { return k.Alg == l.Alg })
	})
}

func (p *planner) remove(gone func(Key) bool) {
	p.ring.Keys = slices.DeleteFunc(p.ring.Keys, func(k Key) bool {
		if !gone(k) {
			return false
		}
		p.ring.Tombstones = append(p.ring.Tombstones, Tombstone{k.KID, p.now, !k.RevokedAt.IsZero()})
		p.tell(StepRemoved, k, p.now)
		return true
	})
}

// unwanted lists the ring's algorithms that are not in algs.
func (p *planner) unwanted(algs []string) (others []string) {
	for _, k := range p.ring.Keys {
		if !slices.Contains(algs, k.Alg) && !slices.Contains(others, k.Alg) {
			others = append(others, k.Alg)
		}
	}
	return others
}

// object speaks up for an algorithm that another replica wants to end.
func (p *planner) object(alg string) {
	i := p.leaving(alg)
	if i < 0 || p.ring.Leaving[i].At.IsZero() {
		return
	}
	p.ring.Leaving[i] = Leaving{Alg: alg, KeptUntil: p.now.Add(p.tt.Publish)}
	p.tell(StepKept, Key{Alg: alg}, p.now)
}

// leave announces the end of an algorithm, and ends it when P has passed without an objection. While
// none of the wanted algorithms signs yet it does neither.
func (p *planner) leave(alg string, wanted []string) {
	if !slices.ContainsFunc(wanted, func(a string) bool { return p.find(a, Active) != nil }) {
		return
	}
	i := p.leaving(alg)
	if i < 0 {
		p.ring.Leaving = append(p.ring.Leaving, Leaving{Alg: alg})
		i = len(p.ring.Leaving) - 1
	}
	switch l := &p.ring.Leaving[i]; {
	case !l.At.IsZero():
		if reached(l.At, p.now) {
			p.windDown(alg)
		}
	case !p.now.Before(l.KeptUntil):
		l.At = p.now.Add(p.tt.Publish)
		p.tell(StepLeaving, Key{Alg: alg}, l.At)
	}
}

// windDown drops the algorithm's successor and retires its active key.
func (p *planner) windDown(alg string) {
	if pending := p.find(alg, Pending); pending != nil {
		// A replica that holds the old plan may still follow it, so a successor is not taken away
		// shortly before it activates: then it is retired instead.
		if pending.ActivateAt.Before(p.now.Add(p.tt.SignStale + p.tt.ClockSkew + p.notice)) {
			return
		}
		kid := pending.KID
		p.remove(func(k Key) bool { return k.KID == kid })
	}
	end := p.now.Add(p.notice)
	if active := p.find(alg, Active); active != nil && (active.RetireAt.IsZero() || active.RetireAt.After(end)) {
		active.RetireAt, active.RemoveAt = end, p.gone(*active, end)
		p.tell(StepScheduled, *active, end)
	}
}

func (p *planner) leaving(alg string) int {
	return slices.IndexFunc(p.ring.Leaving, func(l Leaving) bool { return l.Alg == alg })
}

// seenLate raises PublishAt of a pending key that some replica is known not to have seen then.
func (p *planner) seenLate(kid string, at time.Time) {
	i := slices.IndexFunc(p.ring.Keys, func(k Key) bool { return k.KID == kid && k.State(p.now) == Pending })
	if i < 0 || !p.ring.Keys[i].PublishAt.Before(at) {
		return
	}
	k := &p.ring.Keys[i]
	k.PublishAt = at
	p.tell(StepScheduled, *k, later(k.ActivateAt, at.Add(p.tt.Publish)))
}
