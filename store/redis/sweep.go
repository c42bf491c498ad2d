package redis

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Most of what runs out goes by itself: revoked token ids, used assertions and throttle counts at
// their time, the sessions of a user when the youngest must be over. A sweep ends the other sessions
// that are over. It walks over the keys in the background, a little each time, and only one replica does.
const (
	sweepScans = 20  // steps of the walk in one Sweep, of each server
	sweepCount = 500 // keys that a step looks at
	sweepLease = 90 * time.Second
)

type sweeper struct {
	mu      sync.Mutex
	token   string
	cursors map[string]uint64 // where to go on, by server
	counted map[string]int    // sessions that the walk has found so far, by server

	found sync.Map // by server: the sessions that the last whole walk has found
}

// sessions returns how many sessions the last whole walk has found; known is false before its end, and on
// replicas that do not sweep. A walk beside changes may count a few twice, or not at all.
func (w *sweeper) sessions() (n int, known bool) {
	w.found.Range(func(_, found any) bool {
		n, known = n+found.(int), true
		return true
	})
	return n, known
}

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (int, error) {
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()
	if mine, err := s.leaseSweep(ctx); err != nil || !mine {
		return 0, err
	}
	n := 0
	var mu sync.Mutex
	err := s.conn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		swept, err := s.sweepServer(ctx, node, now, limits, &mu)
		if err == nil {
			err = s.trail.Sweep(ctx, node, now)
		}
		mu.Lock()
		defer mu.Unlock()
		n += swept
		return err
	})
	if err != nil {
		return n, conn.Unavailable("sweeping sessions", err)
	}
	return n, nil
}

// leaseSweep reports whether this replica is the one that sweeps.
func (s *Store) leaseSweep(ctx context.Context) (bool, error) {
	if s.sweeper.token == "" {
		s.sweeper.token, s.sweeper.cursors, s.sweeper.counted = rand.Text(), map[string]uint64{}, map[string]int{}
	}
	key := s.key.Of(layout.Sweeping)
	take := conn.Write("set", key, s.sweeper.token, "nx", "px", sweepLease.Milliseconds())
	holder := conn.Command(key, "get", key)
	if err := s.conn.Do(ctx, "asking who sweeps", take, holder); err != nil {
		return false, err
	}
	if token, _ := holder.Text(); token != s.sweeper.token {
		s.sweeper.found.Clear()
		return false, nil
	}
	return true, s.conn.Do(ctx, "going on to sweep", conn.Write("pexpire", key, sweepLease.Milliseconds()))
}

func (s *Store) sweepServer(ctx context.Context, node *redis.Client, now time.Time, limits store.Lifetimes, mu *sync.Mutex) (n int, err error) {
	addr := node.Options().Addr
	mu.Lock()
	cursor, counted := s.sweeper.cursors[addr], s.sweeper.counted[addr]
	mu.Unlock()
	for range sweepScans {
		var keys []string
		if keys, cursor, err = node.Scan(ctx, cursor, s.key.Pattern("s"), sweepCount).Result(); err != nil {
			return n, err
		}
		swept, left, err := s.sweepKeys(ctx, keys, now, limits)
		if n, counted = n+swept, counted+left; err != nil {
			return n, err
		}
		if cursor == 0 {
			s.sweeper.found.Store(addr, counted)
			counted = 0
			break
		}
	}
	mu.Lock()
	defer mu.Unlock()
	s.sweeper.cursors[addr], s.sweeper.counted[addr] = cursor, counted
	return n, nil
}

func (s *Store) sweepKeys(ctx context.Context, keys []string, now time.Time, limits store.Lifetimes) (ended, left int, err error) {
	if len(keys) == 0 {
		return 0, 0, nil
	}
	calls := make([]*conn.Call, len(keys))
	for i, key := range keys {
		calls[i] = script.SweepSessions.Call([]string{key}, s.clock.Argument(now), script.CeilMillis(limits.Idle), script.CeilMillis(limits.Absolute))
	}
	if err := s.conn.Do(ctx, "sweeping sessions", calls...); err != nil {
		return 0, 0, err
	}
	for _, c := range calls {
		counts := c.List()
		if len(counts) != 2 {
			return ended, left, conn.Malformed("what a sweep has found", conn.ErrReply)
		}
		ended, left = ended+atoi(counts[0]), left+atoi(counts[1])
	}
	return ended, left, nil
}
