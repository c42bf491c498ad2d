package trail

import (
	"encoding/binary"
	"fmt"
	"slices"

	"signet/store"
	"signet/store/bolt/layout"
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

func (q *selection) addRaw(tx *layout.Tx, key, raw []byte) error {
	if !q.filter.MaySelect(raw) {
		return nil
	}
	e, err := layout.ReadEvent(tx, key, raw)
	if err != nil {
		return fmt.Errorf("%w: reading an audit event: %w", store.ErrUnavailable, err)
	}
	q.add(e)
	return nil
}

// forward takes the oldest first.
func (q *selection) forward(tx *layout.Tx, waiting []store.Event) error {
	c := tx.Bucket(layout.Audit).Cursor()
	for key, raw := c.Seek(layout.SeqKey(q.After)); key != nil && !q.full(); key, raw = c.Next() {
		if err := q.addRaw(tx, key, raw); err != nil {
			return err
		}
	}
	for _, e := range Uncommitted(tx, waiting) {
		if q.full() {
			break
		}
		q.add(e)
	}
	return nil
}

// backward takes the newest first and then turns them round.
func (q *selection) backward(tx *layout.Tx, waiting []store.Event) error {
	for _, e := range slices.Backward(Uncommitted(tx, waiting)) {
		if q.full() {
			break
		}
		q.add(e)
	}
	c := tx.Bucket(layout.Audit).Cursor()
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

// Uncommitted leaves out of waiting what has been committed since it was returned by Waiting.
func Uncommitted(tx *layout.Tx, waiting []store.Event) []store.Event {
	last := lastSeq(tx)
	for len(waiting) > 0 && waiting[0].Seq <= last {
		waiting = waiting[1:]
	}
	return waiting
}
