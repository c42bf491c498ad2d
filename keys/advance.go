package keys

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// maxPublished is how many keys of one algorithm are in the key set at most: the smallest verifier
// caches seen in the wild hold five.
const maxPublished = 4

// Advance returns r as it should be at now, and what changed; without a Transition nothing did. It
// does no I/O, and doing it twice is doing it once. newKey makes a key of the algorithm, of which
// only KID, Alg and the private part count; its error comes back with r unchanged, except for
// errNotMade, which leaves the algorithm as it is until the next time.
//
// Whenever it has run each of algs has one active key and one pending successor, which activates
// when it has been published for P and its predecessor has signed for K. A new algorithm begins
// with a pending key. Plans that were made are kept when the timetable changes, except that they
// are stretched to satisfy it: so replicas whose configurations differ do not undo each other's work.
func Advance(r Ring, tt Timetable, algs []string, now time.Time, newKey func(alg string) (Key, error)) (Ring, []Transition, error) {
	p := newPlanner(r, tt, now, newKey)
	if err := p.advance(algs); err != nil {
		return r, nil, err
	}
	return p.ring, p.steps, nil
}

// First returns the first ring of an install: per algorithm a key that signs at once, because
// nobody can have tokens or key sets yet, and its published successor. At once is S ago, so that it
// has come by the clock of every replica.
func First(tt Timetable, algs []string, now time.Time, newKey func(alg string) (Key, error)) (Ring, []Transition, error) {
	p := newPlanner(Ring{}, tt, now, newKey)
	p.notice = 0
	for _, alg := range algs {
		k, err := p.mint(alg)
		if err != nil {
			return Ring{}, nil, err
		}
		k.PublishAt, k.ActivateAt = p.now, p.now
		p.add(k)
	}
	if err := p.advance(algs); err != nil {
		return Ring{}, nil, err
	}
	for i := range p.ring.Keys {
		if k := &p.ring.Keys[i]; k.ActivateAt.Equal(p.now) {
			k.PublishAt = p.now.Add(-tt.ClockSkew)
			k.ActivateAt = k.PublishAt
		}
	}
	return p.ring, p.steps, nil
}

func (p *planner) advance(algs []string) error {
	p.bury()
	p.hold()
	for _, alg := range algs {
		p.object(alg)
		if err := p.keepUp(alg); err != nil {
			return err
		}
	}
	for _, alg := range p.unwanted(algs) {
		p.leave(alg, algs)
	}
	return nil
}

// keepUp makes sure of the algorithm's one successor and ties the active key's end to it.
func (p *planner) keepUp(alg string) error {
	if p.find(alg, Pending) == nil {
		err := p.create(alg)
		if errors.Is(err, errNotMade) {
			return nil // the active key signs on until there is a successor
		}
		if err != nil {
			return err
		}
	}
	active, pending := p.find(alg, Active), p.find(alg, Pending)
	if active == nil && p.interrupted(alg) {
		p.promote(pending)
		return nil
	}
	p.schedule(active, pending)
	return nil
}

// create adds a pending key. It is needed because the last one has activated, so that is told too.
func (p *planner) create(alg string) error {
	k, err := p.mint(alg)
	if err != nil {
		return err
	}
	k.PublishAt = p.room(alg)
	k.ActivateAt = k.PublishAt.Add(p.tt.Publish)
	if active := p.find(alg, Active); active != nil {
		k.ActivateAt = later(k.ActivateAt, active.ActivateAt.Add(p.tt.Active))
		if active.RetireAt.IsZero() {
			p.tellActivated(*active)
		}
	}
	p.add(k)
	return nil
}

// room is when the next key of the algorithm can be published without crowding the key set.
func (p *planner) room(alg string) time.Time {
	soon := p.now.Add(p.notice)
	var ends []time.Time // when the published keys go; the active one stays
	staying := 0
	for _, k := range p.ring.Keys {
		switch state := k.State(p.now); {
		case k.Alg != alg:
		case state == Retired:
			ends = append(ends, k.RemoveAt)
		case state == Active:
			staying++
		}
	}
	excess := staying + len(ends) - (maxPublished - 1)
	if excess <= 0 {
		return soon
	}
	slices.SortFunc(ends, time.Time.Compare)
	return later(soon, ends[excess-1])
}

// schedule stretches the plan to the timetable and ends the active key when its successor begins.
func (p *planner) schedule(active, pending *Key) {
	if earliest := pending.PublishAt.Add(p.tt.Publish); pending.ActivateAt.Before(earliest) {
		pending.ActivateAt = earliest
		p.tell(StepScheduled, *pending, earliest)
	}
	if active == nil {
		return
	}
	gone := pending.ActivateAt.Add(p.stay(*active))
	switch {
	case !active.RetireAt.Equal(pending.ActivateAt):
		active.RetireAt, active.RemoveAt = pending.ActivateAt, gone
	case active.RemoveAt.Before(gone):
		active.RemoveAt = gone
		p.tell(StepScheduled, *active, gone)
	}
}

// hasten activates the algorithm's successor as soon as it has been published for P.
func (p *planner) hasten(alg string) (time.Time, error) {
	active, pending := p.find(alg, Active), p.find(alg, Pending)
	if active == nil || pending == nil {
		return time.Time{}, fmt.Errorf("%w %s", ErrAlgorithm, alg)
	}
	soonest := later(p.now.Add(p.notice), pending.PublishAt.Add(p.tt.Publish))
	if soonest.Before(pending.ActivateAt) {
		pending.ActivateAt = soonest
		p.tell(StepScheduled, *pending, soonest)
		p.schedule(active, pending)
		active.RemoveAt = p.gone(*active, active.RetireAt)
	}
	return pending.ActivateAt, nil
}

// gone is when a key goes whose end was brought forward. A replica that has not heard of it signs on
// for X; and the clock that brought it forward may be S behind the one by which the key goes.
func (p *planner) gone(k Key, retireAt time.Time) time.Time {
	return retireAt.Add(p.stay(k) + p.tt.ClockSkew)
}

// interrupted reports whether the algorithm's signing key was revoked without its successor taking
// over in the same step, so that nothing signs. Revoke does not leave a ring so.
func (p *planner) interrupted(alg string) bool {
	return slices.ContainsFunc(p.ring.Keys, func(k Key) bool {
		return k.Alg == alg && k.State(p.now) == Revoked && !k.ActivateAt.After(k.RevokedAt) && !reached(k.RetireAt, k.RevokedAt)
	})
}

// promote activates a key at once, published long enough or not: the alternative is to sign nothing.
func (p *planner) promote(k *Key) {
	if k.PublishAt.After(p.now) {
		k.PublishAt = p.now
	}
	k.ActivateAt = p.now
	p.tell(StepScheduled, *k, p.now)
}
