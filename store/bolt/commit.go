package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
)

// Group commit. Writers add their request to the batch that is forming and wait for its end. One
// goroutine takes the batch, applies every request in one transaction and commits it; meanwhile the
// next batch forms. So a batch is whatever arrived during the last commit: alone nobody waits, and
// under load one fsync serves many.

// writeBehind is how long what nobody waits for (counts, audit events) may stay in memory.
const writeBehind = time.Second

// request is one writer's wish.
type request struct {
	apply func(*txn) error
	flush bool  // what is to be written behind goes with it
	err   error // what came of it; written before the batch is done
	state atomic.Int32
}

const (
	waiting   int32 = iota
	taken           // by the committer: from here on the outcome is unknown until the batch is done
	abandoned       // by its writer, before it was taken: it will never run
)

type batch struct {
	requests []*request
	flush    bool // one of them wants it
	done     chan struct{}
}

// queue is where writers and the committer meet.
type queue struct {
	mu     sync.Mutex
	next   *batch // the batch that is forming
	closed bool

	wake  chan struct{} // there is a batch, or the end has come
	later chan struct{} // something is to be written behind
}

func (q *queue) init() {
	q.next = &batch{done: make(chan struct{})}
	q.wake = make(chan struct{}, 1)
	q.later = make(chan struct{}, 1)
}

func (q *queue) add(r *request) (*batch, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, errClosed
	}
	q.next.requests = append(q.next.requests, r)
	q.next.flush = q.next.flush || r.flush
	notify(q.wake)
	return q.next, nil
}

func (q *queue) take() (b *batch, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	b, q.next = q.next, &batch{done: make(chan struct{})}
	return b, q.closed
}

func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	notify(q.wake)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

var errClosed = errors.New("it is closed")

// update applies one request as part of a batch and returns when it is durable. The request may be
// applied more than once (only the last time counts) and must not call code that is not ours: the
// whole batch would wait for it.
//
// The events of the context are kept in the same transaction; see store.WithEvent.
func (s *Store) update(ctx context.Context, apply func(*txn) error) error {
	if events := store.EventsOf(ctx); len(events) > 0 {
		return s.updateWithEvents(ctx, events, apply)
	}
	return s.submit(ctx, &request{apply: apply})
}

func (s *Store) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return s.unavailable("writing", err)
	}
	b, err := s.queue.add(r)
	if err != nil {
		return s.unavailable("writing", err)
	}
	select {
	case <-b.done:
		return r.err
	case <-ctx.Done():
		r.state.CompareAndSwap(waiting, abandoned)
		return s.unavailable("writing", ctx.Err())
	}
}

// ask is update for a request that has something to answer. The answer is the committer's until the
// request is done: a caller who has gone away does not look at it.
func ask[T any](ctx context.Context, s *Store, apply func(*txn) (T, error)) (T, error) {
	answer := new(T)
	err := s.update(ctx, func(t *txn) (err error) {
		*answer, err = apply(t)
		return err
	})
	if err != nil {
		return *new(T), err
	}
	return *answer, nil
}

// run is the committer.
func (s *Store) run() {
	defer s.running.Done()
	debug.SetPanicOnFault(true) // for this goroutine: a page fault becomes a panic, see apply
	var behind <-chan time.Time
	for {
		due := false
		select {
		case <-s.queue.wake:
		case <-behind:
			behind, due = nil, true
		case <-s.queue.later:
			if behind == nil {
				behind = time.After(writeBehind)
			}
			continue
		}
		b, closed := s.queue.take()
		s.write(b, due || closed || b.flush || s.audit.many())
		if closed {
			return
		}
	}
}

// write applies a batch, without the requests that spoil it, and returns their results to the writers. The error of a commit
// also replaces a refusal: what a request was refused for may have been a neighbour's work.
func (s *Store) write(b *batch, flush bool) {
	defer close(b.done)
	live := b.requests[:0:0]
	for _, r := range b.requests {
		if r.state.CompareAndSwap(waiting, taken) {
			live = append(live, r)
		}
	}
	for {
		spoilt, err := s.attempt(live, flush)
		if spoilt != nil {
			live = without(live, spoilt)
			continue
		}
		for _, r := range live {
			if err != nil {
				r.err = err
			}
		}
		return
	}
}

// attempt runs one transaction. A request that fails before it wrote anything is simply left with
// its error; one that fails later has spoilt the transaction, which is undone and to be tried
// again without it.
func (s *Store) attempt(live []*request, flush bool) (spoilt *request, err error) {
	if err := s.health.broken(); err != nil {
		return nil, s.unavailable("writing", err)
	}
	if err := s.inPlace(); err != nil {
		return nil, s.failed(err)
	}
	var tx *bbolt.Tx
	err = s.guard(func() (err error) {
		tx, err = s.file.DB.Begin(true)
		return err
	})
	if err != nil {
		return nil, s.failed(err)
	}
	t := &txn{snapshot: snapshot{tx, s.seals}, format: s.Format()}
	for _, r := range live {
		before := t.writes
		if r.err = s.apply(t, r.apply); r.err != nil && t.writes != before {
			return r, s.undo(tx)
		}
	}
	flushed := func() {}
	if flush {
		if flushed, err = s.flush(t); err != nil {
			return nil, errors.Join(s.failed(err), s.undo(tx))
		}
	}
	if t.writes == 0 {
		return nil, s.undo(tx)
	}
	if err := s.guard(func() error { return s.doCommit(tx) }); err != nil {
		return nil, s.failed(err)
	}
	if err := s.inPlace(); err != nil { // it went while this was synced
		return nil, s.failed(err)
	}
	flushed()
	s.health.ok()
	return nil, nil
}

// apply shields the batch from a request that panics.
func (s *Store) apply(t *txn, apply func(*txn) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.writes++ // it may have written
			err = s.unavailable("writing", fmt.Errorf("panic: %v", p))
		}
		err = s.unreadable(err)
	}()
	return apply(t)
}

// flush adds what is written behind. The function it returns is called once that is committed.
func (s *Store) flush(t *txn) (committed func(), err error) {
	err = s.apply(t, func(t *txn) error {
		events, err := s.audit.flush(t)
		if err != nil {
			return err
		}
		counted, err := s.throttle.flush(t)
		committed = func() { events(); counted() }
		return err
	})
	return committed, err
}

func (s *Store) doCommit(tx *bbolt.Tx) error {
	if commit := s.commit.Load(); commit != nil {
		return (*commit)(tx)
	}
	return tx.Commit()
}

func (s *Store) undo(tx *bbolt.Tx) error { return s.guard(tx.Rollback) }

// guard runs a step after which bbolt's own state is in doubt if it panics: then nothing is
// written any more until the store is opened again, which checks the file.
func (s *Store) guard(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = s.health.breaks(file.Panicked(s.file.Path, p))
		}
	}()
	return step()
}

// failed notes a failed commit for Ping and names it for its writers.
func (s *Store) failed(cause error) error {
	err := s.unavailable("writing", cause)
	s.health.fail(err, s.now())
	s.queueLater()
	return err
}

// queueLater asks for a commit within writeBehind.
func (s *Store) queueLater() { notify(s.queue.later) }

func without(live []*request, r *request) []*request {
	kept := live[:0]
	for _, l := range live {
		if l != r {
			kept = append(kept, l)
		}
	}
	return kept
}
