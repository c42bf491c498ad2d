package redis

import (
	"context"
	"time"

	"signet/store"
)

// Take implements store.Throttle.
func (s *Store) Take(ctx context.Context, now time.Time, a store.Attempt) (time.Duration, error) {
	take := s.takeCall(now, a)
	if take == nil {
		return 0, s.ready(ctx)
	}
	if err := s.do(ctx, "counting an attempt", take); err != nil {
		return 0, err
	}
	return time.Duration(take.number()) * time.Millisecond, nil
}

// takeCall is nil where there is nothing to count against.
func (s *Store) takeCall(now time.Time, a store.Attempt) *call {
	if len(a.Buckets) == 0 {
		return nil
	}
	keys := make([]string, len(a.Buckets))
	args := []any{millis(now)}
	for i, b := range a.Buckets {
		keys[i] = s.key.bucket(a.Place, b.Key)
		args = append(args, b.Limit, b.Window.Milliseconds(), b.Backoff.Milliseconds(), b.Same, b.SameFor.Milliseconds())
	}
	return takeScript.call(keys, args...)
}

// Forgive implements store.Throttle.
func (s *Store) Forgive(ctx context.Context, f store.Forgiveness) error {
	forgive := s.forgiveCall(f)
	if forgive == nil {
		return s.ready(ctx)
	}
	return s.do(ctx, "forgiving attempts", forgive)
}

func (s *Store) forgiveCall(f store.Forgiveness) *call {
	if len(f.Clear)+len(f.Refund) == 0 {
		return nil
	}
	var keys []string
	for _, key := range f.Clear {
		keys = append(keys, s.key.bucket(f.Place, key))
	}
	for _, key := range f.Refund {
		keys = append(keys, s.key.bucket(f.Place, key))
	}
	return forgiveScript.call(keys, len(f.Clear))
}

// ready answers as a call would that has nothing to ask.
func (s *Store) ready(ctx context.Context) error {
	switch {
	case s.closed.Load():
		return s.unavailable("using", errClosed)
	case ctx.Err() != nil:
		return s.unavailable("using", ctx.Err())
	}
	return nil
}
