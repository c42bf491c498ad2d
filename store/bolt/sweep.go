package bolt

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/codec"
)

// sweepSpan is how many records one snapshot of a Sweep shows, and one transaction deletes at most.
const sweepSpan = 4096

// sweepSpans is how many spans of each kind one Sweep looks at at most: a million records. A Sweep ends
// with the end of the bucket, so what has run out goes with the next Sweep, however much there is alive,
// and only in a larger bucket with a later one. Spans hold up nobody: they are read outside of the write
// transaction, and what they delete shares the commits of others.
const sweepSpans = 256

// sweeper remembers where the last Sweep stopped. There is no index by time: keeping one would cost a
// write in every refresh, to save a walk that has all the time in the world.
type sweeper struct {
	mu                                 sync.Mutex
	sessions, revoked, spent, networks walk
	trimmed                            time.Time // when trimMemory last ran
}

// walk is how far the sweep of a bucket has come.
type walk struct {
	next  []byte                // the key to go on at; nil: the first
	begun time.Time             // when it was at the first key
	seen  int                   // records that are left since then
	round atomic.Pointer[round] // the last that came to the end; nil: none did
}

// round is what a walk through a whole bucket has found.
type round struct {
	records int           // that are left
	took    time.Duration // from the first key to the last, over several Sweeps
}

// Sweep implements store.Store. It walks on from where the last call stopped, outside of the write
// transaction, and then deletes what it found, having looked again.
func (s *Store) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (n int, err error) {
	now = store.Millis(now)
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()

	ended := func(tx reader, key, value []byte) bool {
		session, err := readSession(tx, key, value, "")
		return err == nil && limits.Ended(session, now)
	}
	for _, kind := range []struct {
		what   string
		bucket []byte
		walk   *walk
		over   func(tx reader, key, value []byte) bool
	}{
		{"sessions", bucketSessions, &s.sweeper.sessions, ended},
		{"revoked tokens", bucketRevoked, &s.sweeper.revoked, passed(bucketRevoked, now)},
		{"used assertions", bucketAssertions, &s.sweeper.spent, passed(bucketAssertions, now.Add(-store.AssertionMargin))},
		{"networks of accounts", bucketNetworks, &s.sweeper.networks, networksOver(now)},
	} {
		m, err := s.sweepBucket(ctx, kind.bucket, kind.walk, kind.over)
		if n += m; err != nil {
			return n, fmt.Errorf("sweeping %s: %w", kind.what, err)
		}
	}
	if _, err := s.appendKept(ctx, func(since time.Time) bool { return now.Sub(since) >= store.OutboxAfter }); err != nil {
		return n, err
	}
	s.trimMemory()
	return n + s.throttle.sweep(now, s.queueLater), nil
}

// passed holds for a record that is a time up to now.
func passed(bucket []byte, now time.Time) func(tx reader, key, value []byte) bool {
	return func(tx reader, key, value []byte) bool {
		value, err := tx.opened(bucket, key, value)
		if err != nil {
			return false
		}
		r := codec.NewReader(value)
		return !now.Before(r.Time()) && r.End() == nil
	}
}

// sweepBucket goes on to the end of the bucket, or for sweepSpans.
func (s *Store) sweepBucket(ctx context.Context, bucket []byte, w *walk, over func(tx reader, key, value []byte) bool) (n int, err error) {
	for range sweepSpans {
		m, err := s.sweepNext(ctx, bucket, w, over)
		if n += m; err != nil || w.next == nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Store) sweepNext(ctx context.Context, bucket []byte, w *walk, over func(tx reader, key, value []byte) bool) (n int, err error) {
	if w.next == nil {
		w.begun, w.seen = s.now(), 0
	}
	var keys [][]byte
	var next []byte
	var read int
	err = s.viewContext(ctx, func(tx snapshot) error {
		keys, next, read = candidates(tx, bucket, w.next, over)
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(keys) > 0 {
		n, err = ask(ctx, s, func(t *txn) (int, error) { return sweepKeys(t, bucket, keys, over) })
		if err != nil {
			return 0, err
		}
	}
	w.next, w.seen = next, w.seen+read-n
	if next == nil {
		w.round.Store(&round{w.seen, s.now().Sub(w.begun)})
	}
	return n, nil
}

func candidates(tx reader, bucket, from []byte, over func(tx reader, key, value []byte) bool) (keys [][]byte, next []byte, read int) {
	c := tx.Bucket(bucket).Cursor()
	key, value := c.Seek(from)
	for range sweepSpan {
		if key == nil {
			return keys, nil, read // the end: start again next time
		}
		read++
		if over(tx, key, value) {
			keys = append(keys, bytes.Clone(key))
		}
		key, value = c.Next()
	}
	return keys, bytes.Clone(key), read
}

func sweepKeys(t *txn, bucket []byte, keys [][]byte, over func(tx reader, key, value []byte) bool) (n int, err error) {
	for _, key := range keys {
		value := t.get(bucket, key)
		if value == nil || !over(t, key, value) {
			continue
		}
		if err := t.del(bucket, key); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// trimEvery is how often trimMemory does something.
const trimEvery = time.Minute

func (s *Store) trimMemory() {
	now := s.now()
	if now.Sub(s.sweeper.trimmed) < trimEvery {
		return
	}
	s.sweeper.trimmed = now
	_ = s.view(func(tx snapshot) error { return s.file.TrimMemory(tx.Tx) }) // advice alone: the next time may succeed
}
