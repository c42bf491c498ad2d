package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"

	"signet/store"
)

const (
	maxPending  = 8192 // events that may wait for a commit; the log has all of them anyway
	manyPending = 1024
	maxEvents   = 1000
	someEvents  = 100
)

// trail numbers events at once and writes them behind, so that no request waits for its own audit.
//
// Events of all classes are in one bucket, in the order of their numbers. Another bucket has their numbers
// by class, so that each class loses its own oldest.
type trail struct {
	keep store.Retention
	kept map[store.EventClass]int // committed; only the committer uses it

	mu      sync.Mutex
	last    uint64 // the number given last
	pending []store.Event
	dropped []string // entries of the outbox that go without their events
}

func (a *trail) load(b *bbolt.Bucket) {
	if key, _ := b.Cursor().Last(); len(key) == 8 {
		a.last = binary.BigEndian.Uint64(key)
	}
}

var errBacklog = errors.New("too many audit events are waiting to be written")

// AppendEvents implements store.Audit.
func (s *Store) AppendEvents(ctx context.Context, events []store.Event) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	a := &s.audit
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.pending)+len(events) > maxPending {
		return s.unavailable("auditing in", errBacklog)
	}
	for _, e := range events {
		a.last++
		e.Seq, e.At = a.last, store.Millis(e.At)
		a.pending = append(a.pending, e)
	}
	if len(a.pending) >= manyPending {
		notify(s.queue.wake)
	}
	s.queueLater()
	return nil
}

// many reports that so much is waiting that it should go with the next commit, whenever that is.
func (a *trail) many() bool { return len(a.waiting()) >= manyPending }

// waiting returns the events that are not known to be committed. They stay until they are.
func (a *trail) waiting() []store.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.pending)
}

// unwanted returns the entries of the outbox that are to go without their events.
func (a *trail) unwanted() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clip(a.dropped)
}

// leaving returns the entries of the outbox that the next flush takes out.
func (a *trail) leaving() map[string]bool {
	names := map[string]bool{}
	for _, e := range a.waiting() {
		names[e.Outbox] = true
	}
	for _, name := range a.unwanted() {
		names[name] = true
	}
	return names
}

// flush writes what waits and drops what is beyond the retention.
func (a *trail) flush(t *txn) (committed func(), err error) {
	events, dropped := a.waiting(), a.unwanted()
	if len(events)+len(dropped) == 0 {
		return func() {}, nil
	}
	for _, name := range dropped {
		if _, err := takeOut(t, name); err != nil {
			return nil, err
		}
	}
	b := auditBucket(t)
	change := map[store.EventClass]int{}
	for _, e := range events {
		if e.Outbox != "" {
			if there, err := takeOut(t, e.Outbox); err != nil {
				return nil, err
			} else if !there {
				continue
			}
		}
		if err := putEvent(t, b, e); err != nil {
			return nil, err
		}
		change[store.ClassOf(e)]++
	}
	for class, added := range change {
		dropped, err := a.trim(t, class, added)
		if err != nil {
			return nil, err
		}
		change[class] -= dropped
	}
	return func() {
		for class, n := range change {
			a.kept[class] += n
		}
		a.forget(len(events), len(dropped))
	}, nil
}

func auditBucket(t *txn) *bbolt.Bucket {
	b := t.Bucket(bucketAudit)
	b.FillPercent = 0.95 // keys only grow
	return b
}

func putEvent(t *txn, b *bbolt.Bucket, e store.Event) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding audit event %d: %w", e.Seq, err)
	}
	t.writes++
	if err := b.Put(seqKey(e.Seq), t.sealed(bucketAudit, seqKey(e.Seq), raw)); err != nil {
		return err
	}
	return t.put(bucketAuditRings, ringKey(store.ClassOf(e), e.Seq), nil)
}

// ringPrefixes begin the keys of the classes. They are in the file: a new class needs a new one.
var ringPrefixes = map[store.EventClass]byte{store.ClassKeys: 'k', store.ClassAdmin: 'a', store.ClassSessions: 's', store.ClassOwn: 'o',
	store.ClassRefusals: 'r'}

func ringKey(class store.EventClass, seq uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{ringPrefixes[class]}, seq)
}

// trim drops the oldest events of a class beyond its retention, after some were added. Two old events go
// for each new one, so that a lowered retention takes effect without one long commit.
func (a *trail) trim(t *txn, class store.EventClass, added int) (dropped int, err error) {
	excess := a.kept[class] + added - a.keep[class]
	c := t.Bucket(bucketAuditRings).Cursor()
	for ; dropped < min(excess, 2*added); dropped++ {
		key, _ := c.Seek([]byte{ringPrefixes[class]})
		if len(key) != 9 || key[0] != ringPrefixes[class] {
			break
		}
		if err := t.del(bucketAudit, bytes.Clone(key[1:])); err != nil {
			return dropped, err
		}
		if err := t.del(bucketAuditRings, bytes.Clone(key)); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

func (a *trail) forget(events, dropped int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pending = append([]store.Event(nil), a.pending[events:]...)
	a.dropped = append([]string(nil), a.dropped[dropped:]...)
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// Events implements store.Audit. It sees events that are not committed yet.
func (s *Store) Events(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	found := selection{EventQuery: q, filter: q.Filter(), limit: someEvents}
	if q.Limit > 0 {
		found.limit = min(q.Limit, maxEvents)
	}
	waiting := s.audit.waiting() // before the snapshot, so that none is missed between the two
	err := s.viewContext(ctx, func(tx snapshot) error {
		if q.Newest {
			return found.backward(tx, waiting)
		}
		return found.forward(tx, waiting)
	})
	return found.events, err
}
