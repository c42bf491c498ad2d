package upkeep

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/bolt/throttle"
)

// sweepSpans is how many spans of each kind one Sweep looks at at most: a million records. A Sweep ends
// with the end of the bucket, so what has run out goes with the next Sweep, however much there is alive,
// and only in a larger bucket with a later one. Spans hold up no request: they are read outside of the write
// transaction, and what they delete shares the commits of others.
const sweepSpans = 256

// Sweeper deletes what has run out, and remembers where it stopped. There is no index by time: keeping one would cost a
// write in every refresh, to save a walk that no request waits for.
type Sweeper struct {
	DB *commit.DB

	mu                                             sync.Mutex
	sessions, revoked, assertions, codes, networks walk
	trimmed                                        time.Time // when trimMemory last did something
}

// walk is how far the sweep of a bucket has come.
type walk struct {
	next  []byte                // the key to go on at; nil: the first
	begun time.Time             // when it was at the first key
	seen  int                   // records that are left since then
	last  atomic.Pointer[Round] // the last that came to the end; nil: none did
}

// Round is what a walk through a whole bucket has found.
type Round struct {
	Records int           // that are left
	Took    time.Duration // from the first key to the last, over several Sweeps: how long a record that has run out waits, at most
}

// over reports whether the record under the key has run out.
type over func(tx *layout.Tx, key, sealed []byte) bool

// Sweep deletes sessions, revoked token ids, used assertions and codes, and networks of accounts that ran out before now. It walks on
// from where the last call stopped.
func (s *Sweeper) Sweep(ctx context.Context, now time.Time, limits store.Lifetimes) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, kind := range []struct {
		what   string
		bucket *layout.Bucket
		walk   *walk
		over   over
	}{
		{"sessions", layout.Sessions, &s.sessions, func(tx *layout.Tx, key, sealed []byte) bool {
			session, err := layout.ReadSession(tx, key, sealed, "")
			return err == nil && limits.Ended(session, now)
		}},
		{"revoked tokens", layout.Revoked, &s.revoked, passed(layout.Revoked, now)},
		{"used assertions", layout.Assertions, &s.assertions, passed(layout.Assertions, now.Add(-store.AssertionMargin))},
		{"redeemed codes", layout.Codes, &s.codes, passed(layout.Codes, now.Add(-store.AssertionMargin))},
		{"networks of accounts", layout.Networks, &s.networks, func(tx *layout.Tx, key, _ []byte) bool { return throttle.Forgotten(tx, now, key) }},
	} {
		m, err := s.sweepBucket(ctx, kind.bucket, kind.walk, kind.over)
		if n += m; err != nil {
			return n, fmt.Errorf("sweeping %s: %w", kind.what, err)
		}
	}
	s.trimMemory(ctx)
	return n, nil
}

// Rounds returns the last walk through each kind of records that Sweep deletes.
func (s *Sweeper) Rounds() map[string]Round {
	rounds := map[string]Round{}
	for kind, w := range map[string]*walk{"sessions": &s.sessions, "revoked_tokens": &s.revoked, "assertions": &s.assertions} {
		if r := w.last.Load(); r != nil {
			rounds[kind] = *r
		}
	}
	return rounds
}

// passed holds for a mark whose time is up to now.
func passed(b *layout.Bucket, now time.Time) over {
	return func(tx *layout.Tx, key, sealed []byte) bool {
		until, err := layout.ReadTime(tx, b, key, sealed)
		return err == nil && !now.Before(until)
	}
}

// sweepBucket goes on to the end of the bucket, or for sweepSpans.
func (s *Sweeper) sweepBucket(ctx context.Context, b *layout.Bucket, w *walk, over over) (n int, err error) {
	for range sweepSpans {
		m, err := s.sweepSpan(ctx, b, w, over)
		if n += m; err != nil || w.next == nil {
			return n, err
		}
	}
	return n, nil
}

func (s *Sweeper) sweepSpan(ctx context.Context, b *layout.Bucket, w *walk, over over) (n int, err error) {
	if w.next == nil {
		w.begun, w.seen = s.DB.Now(), 0
	}
	pick := func(tx *layout.Tx, key, sealed []byte) (bool, error) { return over(tx, key, sealed), nil }
	remove := func(tx *layout.Tx, key, _ []byte) error { return tx.Delete(b, key) }
	looked, n, next, err := change(ctx, s.DB, b, w.next, pick, remove)
	if err != nil {
		return 0, err
	}
	w.next, w.seen = next, w.seen+looked-n
	if next == nil {
		w.last.Store(&Round{w.seen, s.DB.Now().Sub(w.begun)})
	}
	return n, nil
}

// trimEvery is how often trimMemory does something.
const trimEvery = time.Minute

func (s *Sweeper) trimMemory(ctx context.Context) {
	now := s.DB.Now()
	if now.Sub(s.trimmed) < trimEvery {
		return
	}
	s.trimmed = now
	_ = s.DB.View(ctx, func(tx *layout.Tx) error { return s.DB.File.TrimMemory(tx.Tx) }) // advice alone: the next time may succeed
}
