package keys

import (
	"fmt"
	"slices"
	"time"
)

// planner changes a copy of a ring and notes what it did.
type planner struct {
	ring   Ring
	tt     Timetable
	now    time.Time
	notice time.Duration
	newKey func(alg string) (Key, error)
	steps  []Transition
	rewrap bool // what comes of it is to be sealed under the first master key
	noted  bool // something is to be written that is no step
}

func newPlanner(r Ring, tt Timetable, now time.Time, newKey func(alg string) (Key, error)) *planner {
	// Times are written in UTC to the millisecond, and without the monotonic reading, which stops
	// while the machine is suspended.
	now = later(now.Round(0).UTC().Truncate(time.Millisecond), r.SeenAt)
	return &planner{ring: r.clone(), tt: tt, now: now, notice: tt.notice(), newKey: newKey}
}

// mint makes a key whose kid was never used.
func (p *planner) mint(alg string) (Key, error) {
	made, err := p.newKey(alg)
	if err != nil {
		return Key{}, fmt.Errorf("making a signing key for %s: %w", alg, err)
	}
	if p.ring.has(made.KID) {
		return Key{}, fmt.Errorf("making a signing key for %s: kid %s was used before", alg, made.KID)
	}
	return Key{KID: made.KID, Alg: alg, CreatedAt: p.now, Hold: p.tt.outlast(), private: made.private}, nil
}

func (p *planner) add(k Key) {
	p.ring.Keys = append(p.ring.Keys, k)
	p.tell(StepCreated, k, k.PublishAt)
}

// find returns the algorithm's key in that state, or nil. It points into the ring until a key is added.
func (p *planner) find(alg string, s State) *Key {
	i := slices.IndexFunc(p.ring.Keys, func(k Key) bool { return k.Alg == alg && k.State(p.now) == s })
	if i < 0 {
		return nil
	}
	return &p.ring.Keys[i]
}

func (p *planner) tell(s Step, k Key, at time.Time) {
	p.steps = append(p.steps, Transition{Step: s, KID: k.KID, Alg: k.Alg, At: at})
	p.ring.SeenAt = p.now
}

// tellActivated tells of an activation and of the retirement that it was.
func (p *planner) tellActivated(active Key) {
	for _, k := range p.ring.Keys {
		if k.Alg == active.Alg && k.State(p.now) == Retired && k.RetireAt.Equal(active.ActivateAt) {
			p.tell(StepRetired, k, k.RetireAt)
		}
	}
	p.tell(StepActivated, active, active.ActivateAt)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
