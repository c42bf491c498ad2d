package bolt

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"signet/store"
)

// maxCounts bounds the memory that an attacker with many addresses and names can fill; at about
// 200 bytes each this is 13 MB.
const maxCounts = 1 << 16

// counts are kept in memory, where an attempt costs no I/O, and written behind.
type counts struct {
	mu      sync.Mutex
	byKey   map[string]count
	changed map[string]struct{} // keys whose record in the file is out of date

	flushing map[string]struct{} // those of them that are in a commit now, or were in one that failed
}

func (c *counts) init() {
	c.byKey = map[string]count{}
	c.changed = map[string]struct{}{}
}

func (c *counts) load(tx reader) error {
	return tx.Bucket(bucketThrottle).ForEach(func(key, raw []byte) error {
		raw, err := tx.opened(bucketThrottle, key, raw)
		if err != nil {
			return fmt.Errorf("%w: reading a throttle count: %w", errDamaged, err)
		}
		n, err := unpackCount(raw)
		if err != nil {
			return fmt.Errorf("%w: reading a throttle count: %w", errDamaged, err)
		}
		c.byKey[string(key)] = n
		return nil
	})
}

// Take implements store.Throttle.
func (s *Store) Take(ctx context.Context, now time.Time, a store.Attempt) (time.Duration, error) {
	if err := s.open(ctx); err != nil {
		return 0, err
	}
	wait := s.throttle.take(store.Millis(now), a)
	if wait == 0 {
		s.queueLater()
	}
	return wait, nil
}

func (c *counts) take(now time.Time, a store.Attempt) (wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make([]count, len(a.Buckets))
	for i, b := range a.Buckets {
		var w time.Duration
		w, next[i] = c.byKey[placed(a.Place, b.Key)].take(now, b)
		wait = max(wait, w)
	}
	if wait > 0 {
		return wait
	}
	for i, b := range a.Buckets {
		c.set(placed(a.Place, b.Key), next[i])
	}
	return 0
}

// placed is what a bucket is kept under.
func placed(place, key string) string { return place + "/" + key }

func (c *counts) set(key string, n count) {
	if _, known := c.byKey[key]; !known && len(c.byKey) >= maxCounts {
		c.evict()
	}
	c.byKey[key] = n
	c.changed[key] = struct{}{}
}

// evict forgets one count: of a few taken at random the one that matters least.
func (c *counts) evict() {
	var victim string
	least, seen := count{}, 0
	for key, n := range c.byKey {
		if seen == 0 || n.n < least.n || n.n == least.n && n.expires.Before(least.expires) {
			victim, least = key, n
		}
		if seen++; seen == 8 {
			break
		}
	}
	c.drop(victim)
}

func (c *counts) drop(key string) {
	if _, known := c.byKey[key]; !known {
		return
	}
	delete(c.byKey, key)
	c.changed[key] = struct{}{}
}

// Forgive implements store.Throttle.
func (s *Store) Forgive(ctx context.Context, f store.Forgiveness) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	s.throttle.forgive(f)
	s.queueLater()
	return nil
}

func (c *counts) forgive(f store.Forgiveness) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range f.Clear {
		c.drop(placed(f.Place, key))
	}
	for _, key := range f.Refund {
		key = placed(f.Place, key)
		n, known := c.byKey[key]
		switch {
		case !known:
		case n.n <= 1:
			c.drop(key)
		default:
			n.n--
			c.set(key, n)
		}
	}
}

// sweep forgets what has run out, and asks for it to be written if there was any.
func (c *counts) sweep(now time.Time, write func()) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, count := range c.byKey {
		if !now.Before(count.expires) {
			c.drop(key)
			n++
		}
	}
	if n > 0 {
		write()
	}
	return n
}

// flush writes the changed counts. What a failed commit was to write is written with the next.
func (c *counts) flush(t *txn) (committed func(), err error) {
	for key, value := range c.outgoing() {
		if value == nil {
			err = t.del(bucketThrottle, []byte(key))
		} else {
			err = t.put(bucketThrottle, []byte(key), value)
		}
		if err != nil {
			return nil, err
		}
	}
	return c.flushed, nil
}

// outgoing moves what has changed to flushing and packs it; nil stands for a forgotten count.
func (c *counts) outgoing() map[string][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.changed, c.flushing)
	c.flushing, c.changed = c.changed, map[string]struct{}{}
	packed := make(map[string][]byte, len(c.flushing))
	for key := range c.flushing {
		packed[key] = nil
		if n, known := c.byKey[key]; known {
			packed[key] = packCount(n)
		}
	}
	return packed
}

func (c *counts) flushed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushing = nil
}

// unwritten reports whether the file is behind.
func (c *counts) unwritten() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.changed)+len(c.flushing) > 0
}
