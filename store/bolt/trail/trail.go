// Package trail keeps the audit trail in a bolt file. Events get their numbers at once and are written behind, so that no
// request waits for its own audit. The outbox has an event from the commit of its change until the commit that writes it to
// the trail.
//
// Events of all classes are in one bucket, in the order of their numbers. Another bucket has their numbers by class, so that
// each class loses its own oldest.
package trail

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
)

const (
	maxPending  = 8192 // events that may wait for a commit; the log has all of them anyway
	manyPending = 1024
	maxEvents   = 1000
	someEvents  = 100
)

// Trail is a store.Audit and a commit.Behind.
type Trail struct {
	db   *commit.DB
	keep store.Retention
	kept map[store.EventClass]int // committed; only the committer uses it

	mu      sync.Mutex
	last    uint64 // the number given last
	pending []store.Event
	dropped []string // entries of the outbox that go without their events
}

// New returns a trail that goes on behind the last event of the file. Call Open when the DB has started.
func New(db *commit.DB, keep store.Retention) (*Trail, error) {
	a := &Trail{db: db, keep: keep}
	return a, db.View(context.Background(), func(tx *layout.Tx) error {
		a.last = lastSeq(tx)
		return nil
	})
}

// Open counts the events of each class, and writes to the trail what an earlier process has left in the outbox.
func (a *Trail) Open(ctx context.Context) error {
	if err := a.index(ctx); err != nil {
		return err
	}
	a.emptyOutbox(ctx)
	return nil
}

// lastSeq returns the number of the last event that is committed; 0 where there is none.
func lastSeq(tx *layout.Tx) uint64 {
	if key, _ := tx.Bucket(layout.Audit).Cursor().Last(); len(key) == 8 {
		return binary.BigEndian.Uint64(key)
	}
	return 0
}

var errBacklog = errors.New("too many audit events are waiting to be written")

// AppendEvents implements store.Audit.
func (a *Trail) AppendEvents(ctx context.Context, events []store.Event) error {
	if err := a.db.Usable(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending)+len(events) > maxPending {
		return a.db.Unavailable("auditing in", errBacklog)
	}
	for _, e := range events {
		a.last++
		e.Seq, e.At = a.last, store.Millis(e.At)
		a.pending = append(a.pending, e)
	}
	if len(a.pending) >= manyPending {
		a.db.Soon()
	}
	a.db.Later()
	return nil
}

// Waiting returns the events that are not known to be committed. They stay until they are.
func (a *Trail) Waiting() []store.Event {
	events, _ := a.waiting()
	return events
}

// waiting also returns the entries of the outbox that go without their events.
func (a *Trail) waiting() (events []store.Event, dropped []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.pending), slices.Clip(a.dropped)
}

// Flush implements commit.Behind. It writes what waits and drops what is beyond the retention.
func (a *Trail) Flush(t *layout.Tx) (committed func(), err error) {
	events, dropped := a.waiting()
	if len(events)+len(dropped) == 0 {
		return func() {}, nil
	}
	for _, name := range dropped {
		if _, err := layout.TakeEntry(t, name); err != nil {
			return nil, err
		}
	}
	change := map[store.EventClass]int{}
	for _, e := range events {
		if e.Outbox != "" {
			if there, err := layout.TakeEntry(t, e.Outbox); err != nil {
				return nil, err
			} else if !there {
				continue
			}
		}
		if err := layout.PutEvent(t, e); err != nil {
			return nil, err
		}
		change[store.ClassOf(e)]++
	}
	for class, added := range change {
		// Two old events go for each new one, so that a lowered retention takes effect without one long commit.
		dropped, err := layout.DropOldest(t, class, min(a.kept[class]+added-a.keep[class], 2*added))
		if err != nil {
			return nil, err
		}
		change[class] -= dropped
	}
	return func() {
		for class, n := range change {
			a.kept[class] += n
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.pending = append([]store.Event(nil), a.pending[len(events):]...)
		a.dropped = append([]string(nil), a.dropped[len(dropped):]...)
	}, nil
}

// Unwritten implements commit.Behind. An entry of the outbox that could not be dropped is not lost.
func (a *Trail) Unwritten() bool { return len(a.Waiting()) > 0 }

// Events implements store.Audit. It sees events that are not committed yet.
func (a *Trail) Events(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	found := selection{EventQuery: q, filter: q.Filter(), limit: someEvents}
	if q.Limit > 0 {
		found.limit = min(q.Limit, maxEvents)
	}
	waiting := a.Waiting() // before the snapshot, so that none is missed between the two
	err := a.db.View(ctx, func(tx *layout.Tx) error {
		if q.Newest {
			return found.backward(tx, waiting)
		}
		return found.forward(tx, waiting)
	})
	return found.events, err
}
