package redis

import (
	"context"
	"crypto/rand"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/record"
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
	record.Deps
	one sync.Mutex // Sweep at a time

	mu      sync.Mutex
	token   string
	cursors map[string]uint64 // where to go on, by server
	counted map[string]int    // sessions that the walk has found so far, by server

	found sync.Map // by server: the sessions that the last whole walk has found
}

func newSweeper(d record.Deps) *sweeper {
	return &sweeper{Deps: d, token: rand.Text(), cursors: map[string]uint64{}, counted: map[string]int{}}
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
func (w *sweeper) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (n int, err error) {
	w.one.Lock()
	defer w.one.Unlock()
	if mine, err := w.lease(ctx); err != nil || !mine {
		return 0, err
	}
	err = w.Conn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		swept, err := w.sweepServer(ctx, node, now, limits)
		if err == nil {
			err = w.Trail.SweepOutboxes(ctx, node, now)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		n += swept
		return err
	})
	if err != nil {
		return n, conn.Unavailable("sweeping sessions", err)
	}
	return n, nil
}

// lease reports whether this replica is the one that sweeps.
func (w *sweeper) lease(ctx context.Context) (bool, error) {
	key := w.Key.Of(layout.Sweeping)
	take := conn.Write("set", key, w.token, "nx", "px", sweepLease.Milliseconds())
	holder := conn.Command(key, "get", key)
	if err := w.Conn.Do(ctx, "asking who sweeps", take, holder); err != nil {
		return false, err
	}
	if token, _ := holder.Text(); token != w.token {
		w.found.Clear()
		return false, nil
	}
	return true, w.Conn.Do(ctx, "going on to sweep", conn.Write("pexpire", key, sweepLease.Milliseconds()))
}

func (w *sweeper) sweepServer(ctx context.Context, node *redis.Client, now time.Time, limits store.Lifetimes) (n int, err error) {
	addr := node.Options().Addr
	w.mu.Lock()
	cursor, counted := w.cursors[addr], w.counted[addr]
	w.mu.Unlock()
	for range sweepScans {
		var keys []string
		if keys, cursor, err = node.Scan(ctx, cursor, w.Key.Pattern("s"), sweepCount).Result(); err != nil {
			return n, err
		}
		swept, left, err := w.sweepKeys(ctx, keys, now, limits)
		if n, counted = n+swept, counted+left; err != nil {
			return n, err
		}
		if cursor == 0 {
			w.found.Store(addr, counted)
			counted = 0
			break
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursors[addr], w.counted[addr] = cursor, counted
	return n, nil
}

func (w *sweeper) sweepKeys(ctx context.Context, keys []string, now time.Time, limits store.Lifetimes) (ended, left int, err error) {
	if len(keys) == 0 {
		return 0, 0, nil
	}
	calls := make([]*conn.Call, len(keys))
	for i, key := range keys {
		calls[i] = script.SweepSessions.Call([]string{key}, w.Clock.Argument(now), script.CeilMillis(limits.Idle), script.CeilMillis(limits.Absolute))
	}
	if err := w.Conn.Do(ctx, "sweeping sessions", calls...); err != nil {
		return 0, 0, err
	}
	for _, c := range calls {
		counts := c.List()
		if len(counts) != 2 {
			return ended, left, conn.Malformed("what a sweep has found", conn.ErrReply)
		}
		more, _ := strconv.Atoi(counts[0])
		alive, _ := strconv.Atoi(counts[1])
		ended, left = ended+more, left+alive
	}
	return ended, left, nil
}
