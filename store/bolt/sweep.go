package bolt

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/packed"
)

// sweepSpan is how many records of each kind one Sweep looks at at once.
const sweepSpan = 4096

// sweeper remembers where the last Sweep stopped. There is no index by time: keeping one would
// cost a write in every refresh, to save a walk that has all the time in the world.
type sweeper struct {
	mu       sync.Mutex
	sessions []byte // the next key to look at; nil: the first
	revoked  []byte
	spent    []byte
	networks []byte
	trimmed  time.Time // when trimMemory last ran
}

// Sweep implements store.Store. It walks on from where the last call stopped, outside of the write
// transaction, and then deletes what it found, having looked again.
func (s *Store) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (int, error) {
	now = store.Millis(now)
	s.sweeper.mu.Lock()
	defer s.sweeper.mu.Unlock()

	ended := func(key, value []byte) bool {
		session, err := readSession(key, value, "")
		return err == nil && limits.Ended(session, now)
	}
	n, err := s.sweepBucket(ctx, bucketSessions, &s.sweeper.sessions, ended)
	if err != nil {
		return n, fmt.Errorf("sweeping sessions: %w", err)
	}
	m, err := s.sweepBucket(ctx, bucketRevoked, &s.sweeper.revoked, passed(now))
	if n += m; err != nil {
		return n, fmt.Errorf("sweeping revoked tokens: %w", err)
	}
	m, err = s.sweepAssertions(ctx, now)
	if n += m; err != nil {
		return n, fmt.Errorf("sweeping used assertions: %w", err)
	}
	m, err = s.sweepBucket(ctx, bucketNetworks, &s.sweeper.networks, networksOver(now))
	if n += m; err != nil {
		return n, fmt.Errorf("sweeping the networks of accounts: %w", err)
	}
	s.trimMemory()
	return n + s.throttle.sweep(now, s.queueLater), nil
}

// passed holds for a record that is a time up to now.
func passed(now time.Time) func(key, value []byte) bool {
	return func(_, value []byte) bool {
		r := packed.NewReader(value)
		return !now.Before(r.Time()) && r.End() == nil
	}
}

// assertionSpans is how many spans of used assertions one Sweep looks at. They are all over within
// minutes, and may come faster than one span for each Sweep.
const assertionSpans = 64

func (s *Store) sweepAssertions(ctx context.Context, now time.Time) (n int, err error) {
	over := passed(now.Add(-store.AssertionMargin))
	for range assertionSpans {
		m, err := s.sweepBucket(ctx, bucketAssertions, &s.sweeper.spent, over)
		if n += m; err != nil || s.sweeper.spent == nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Store) sweepBucket(ctx context.Context, bucket []byte, from *[]byte, over func(key, value []byte) bool) (n int, err error) {
	var keys [][]byte
	var next []byte
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		keys, next = candidates(tx.Bucket(bucket), *from, over)
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
	*from = next
	return n, nil
}

func candidates(b *bbolt.Bucket, from []byte, over func(key, value []byte) bool) (keys [][]byte, next []byte) {
	c := b.Cursor()
	key, value := c.Seek(from)
	for range sweepSpan {
		if key == nil {
			return keys, nil // the end: start again next time
		}
		if over(key, value) {
			keys = append(keys, bytes.Clone(key))
		}
		key, value = c.Next()
	}
	return keys, bytes.Clone(key)
}

func sweepKeys(t *txn, bucket []byte, keys [][]byte, over func(key, value []byte) bool) (n int, err error) {
	for _, key := range keys {
		value := t.get(bucket, key)
		if value == nil || !over(key, value) {
			continue
		}
		if err := t.del(bucket, key); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
