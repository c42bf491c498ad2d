package commit

import (
	"errors"
	"sync"
	"sync/atomic"

	"signet/store/bolt/layout"
)

// request is what one writer wants done.
type request struct {
	apply func(*layout.Tx) error
	flush bool  // what is to be written behind goes with it
	err   error // its result; written before the batch is done
	state atomic.Int32
}

const (
	waiting   int32 = iota
	taken           // by the committer: from here on the outcome is unknown until the batch is done
	abandoned       // by its writer, before it was taken: it will never run
)

type batch struct {
	requests []*request
	flush    bool // what is to be written behind goes with it
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

func newQueue() *queue {
	return &queue{next: &batch{done: make(chan struct{})}, wake: make(chan struct{}, 1), later: make(chan struct{}, 1)}
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

func (q *queue) flushNow() {
	q.mu.Lock()
	q.next.flush = true
	q.mu.Unlock()
	notify(q.wake)
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
