package keys

import (
	"context"
	"time"

	"signet/keys/keystest"
)

// LoadKeyring reads through the replica's network.
func (r *replica) LoadKeyring(ctx context.Context) (uint64, []byte, error) {
	if !r.travel() {
		return 0, nil, keystest.ErrDown
	}
	version, document, err := r.sim.store.LoadKeyring(ctx)
	if err == nil && !r.travel() {
		return 0, nil, keystest.ErrDown
	}
	return version, document, err
}

// SwapKeyring writes through the replica's network, and is where faults at a write happen.
func (r *replica) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	begun := r.sim.now
	if !r.travel() || r.sim.now.Sub(begun) > r.sim.plan.Configured.Notice()/2 {
		return false, keystest.ErrDown
	}
	f := r.sim.writing(r, next)
	if f == crashBefore {
		return false, errKilled
	}
	swapped, err := r.sim.store.SwapKeyring(ctx, old, next, document)
	switch {
	case f == crashAfter:
		return false, errKilled
	case err != nil, f == loseReply, !r.travel():
		return false, keystest.ErrDown
	}
	return swapped, nil
}

// travel takes the time of one way to the store or back, and reports whether there is a way.
func (r *replica) travel() bool {
	if r.Latency > 0 {
		r.sim.runUntil(r.sim.now.Add(r.Latency))
	}
	return !r.sim.now.Before(r.cutUntil)
}

// writing lets happen what the scenario has for the write of a version, and returns what befalls
// the writer.
func (s *simulation) writing(r *replica, version uint64) (kind string) {
	var rest []fault
	for _, f := range s.faults {
		switch {
		case f.Version != version:
			rest = append(rest, f)
		case f.Kind == cutOff || f.Kind == crash || f.Kind == stepBack:
			s.befall(s.replicas[f.Replica], f)
		default:
			kind = f.Kind
			if kind != loseReply {
				s.befall(r, f)
			}
		}
	}
	s.faults = rest
	return kind
}

// befall cuts the replica off or kills it.
func (s *simulation) befall(r *replica, f fault) {
	if f.Kind == cutOff {
		r.cutUntil = later(r.cutUntil, s.now.Add(f.For))
		return
	}
	if f.Kind == stepBack {
		if r.back == 0 {
			r.back = f.Back
			s.after(f.For+time.Second, func() { r.back = 0 })
		}
		return
	}
	if r.manager == nil {
		return
	}
	r.manager = nil
	s.after(f.For+time.Second, func() { s.tally.restarts++; r.start() })
}
