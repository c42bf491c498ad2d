package upstream

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// timing remembers how long recent calls took; see the package documentation.
type timing struct {
	mu                sync.Mutex
	accepted, refused ring
}

const recentCalls = 128

// ring has the latest durations.
type ring struct {
	all  []time.Duration
	next int
}

func (r *ring) add(d time.Duration) {
	if len(r.all) < recentCalls {
		r.all = append(r.all, d)
		return
	}
	r.all[r.next] = d
	r.next = (r.next + 1) % recentCalls
}

// most is the duration that nine of ten do not exceed; 0 where there are none.
func (r *ring) most() time.Duration {
	if len(r.all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.all))
	return sorted[len(sorted)*9/10]
}

// observe notes how long a call with an answer took.
func (t *timing) observe(match bool, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if match {
		t.accepted.add(d)
	} else {
		t.refused.add(d)
	}
}

// floor is how long a refusal takes at least.
func (t *timing) floor() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return max(t.accepted.most(), t.refused.most())
}

// call is how long a refusal by the upstream may have taken.
func (t *timing) call() time.Duration {
	floor := t.floor()
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.refused.all); n > 0 {
		return max(floor, t.refused.all[rand.IntN(n)])
	}
	return floor
}

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
