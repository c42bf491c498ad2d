package bolt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"signet/store"
)

// selection collects the events that a query selects, from the file and from those still waiting.
type selection struct {
	store.EventQuery
	filter store.EventFilter
	limit  int
	events []store.Event
}

func (q *selection) full() bool { return len(q.events) >= q.limit }

func (q *selection) add(e store.Event) {
	if q.Selects(e) {
		q.events = append(q.events, e)
	}
}

func (q *selection) addRaw(tx reader, key, raw []byte) error {
	if !q.filter.MaySelect(raw) {
		return nil
	}
	e, err := readEvent(tx, key, raw)
	if err != nil {
		return fmt.Errorf("%w: reading an audit event: %w", store.ErrUnavailable, err)
	}
	q.add(e)
	return nil
}

func readEvent(tx reader, key, raw []byte) (e store.Event, err error) {
	if raw, err = tx.opened(bucketAudit, key, raw); err != nil {
		return e, err
	}
	return e, json.Unmarshal(raw, &e)
}

// forward takes the oldest first.
func (q *selection) forward(tx reader, waiting []store.Event) error {
	b := tx.Bucket(bucketAudit)
	c := b.Cursor()
	for key, raw := c.Seek(seqKey(q.After)); key != nil && !q.full(); key, raw = c.Next() {
		if err := q.addRaw(tx, key, raw); err != nil {
			return err
		}
	}
	for _, e := range unwritten(b, waiting) {
		if q.full() {
			break
		}
		q.add(e)
	}
	return nil
}

// backward takes the newest first and then turns them round.
func (q *selection) backward(tx reader, waiting []store.Event) error {
	b := tx.Bucket(bucketAudit)
	for _, e := range slices.Backward(unwritten(b, waiting)) {
		if q.full() {
			break
		}
		q.add(e)
	}
	c := b.Cursor()
	for key, raw := c.Last(); key != nil && !q.full(); key, raw = c.Prev() {
		if binary.BigEndian.Uint64(key) <= q.After {
			break
		}
		if err := q.addRaw(tx, key, raw); err != nil {
			return err
		}
	}
	slices.Reverse(q.events)
	return nil
}

// unwritten leaves out what has been committed since waiting was asked for.
func unwritten(b *bbolt.Bucket, waiting []store.Event) []store.Event {
	key, _ := b.Cursor().Last()
	if len(key) != 8 {
		return waiting
	}
	last := binary.BigEndian.Uint64(key)
	for len(waiting) > 0 && waiting[0].Seq <= last {
		waiting = waiting[1:]
	}
	return waiting
}
