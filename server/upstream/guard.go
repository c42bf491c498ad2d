package upstream

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
)

// waitersPerCall is how many calls may wait for each that runs.
const waitersPerCall = 8

// errCrowded is the cause where too many calls wait.
var errCrowded = errors.New("as many calls as may wait do so already")

// guard bounds the calls of a source: how many run, how long each takes, and that a source without answers is left
// alone for a while.
type guard struct {
	source  Source
	timeout time.Duration
	slots   *semaphore.Weighted
	waiting atomic.Int64
	most    int64 // that wait
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newGuard(s Settings) *guard {
	return &guard{source: s.Source, timeout: s.Timeout, slots: semaphore.NewWeighted(int64(s.Concurrency)), most: waitersPerCall * int64(s.Concurrency),
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			MaxRequests: 1, Interval: 10 * time.Second, BucketPeriod: time.Second, Timeout: 2 * time.Second,
			ReadyToTrip: func(c gobreaker.Counts) bool {
				return c.ConsecutiveFailures >= 5 || c.TotalFailures >= 20 && c.TotalFailures*2 >= c.Requests-c.TotalExclusions
			},
			IsSuccessful: func(err error) bool { return !errors.Is(err, ErrUnavailable) },
			IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) }, // the caller has left
		})}
}

// open reports whether the breaker refuses calls.
func (g *guard) open() bool { return g.breaker.State() == gobreaker.StateOpen }

// check is Source.Check within the bounds. begun is called when the call begins.
func (g *guard) check(ctx context.Context, username, password string, begun func()) (answer Answer, err error) {
	if g.open() {
		return Answer{}, NoAnswer(gobreaker.ErrOpenState)
	}
	limited, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	if err := g.enter(limited); err != nil {
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		return Answer{}, NoAnswer(err)
	}
	defer g.slots.Release(1)
	done, err := g.breaker.Allow()
	if err != nil {
		return Answer{}, NoAnswer(err)
	}
	outcome := error(ErrUnavailable) // of a panic
	defer func() { done(outcome) }()
	begun()
	answer, err = g.source.Check(limited, username, password)
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err != nil && !errors.Is(err, ErrAnswer) && !errors.Is(err, ErrUnavailable):
		err = NoAnswer(err)
	}
	outcome = err
	return answer, err
}

// enter takes a slot.
func (g *guard) enter(ctx context.Context) error {
	if g.slots.TryAcquire(1) {
		return nil
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > g.most {
		return errCrowded
	}
	return g.slots.Acquire(ctx, 1)
}
