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
	if !q.full() && q.Selects(e) {
		q.events = append(q.events, e)
	}
}

func (q *selection) addRaw(tx *layout.Tx, key, sealed []byte) error {
	if !q.filter.MaySelect(sealed) {
		return nil
	}
	e, err := layout.ReadEvent(tx, key, sealed)
	if err != nil {
		return fmt.Errorf("%w: reading an audit event: %w", store.ErrUnavailable, err)
	}
	q.add(e)
	return nil
}

// forward takes the oldest first.
func (q *selection) forward(tx *layout.Tx, waiting []store.Event) (err error) {
	c := tx.Bucket(layout.Audit).Cursor()
	for key, sealed := c.Seek(layout.SeqKey(q.After)); key != nil && !q.full() && err == nil; key, sealed = c.Next() {
		err = q.addRaw(tx, key, sealed)
	}
	for _, e := range Uncommitted(tx, waiting) {
		q.add(e)
	}
	return err
}

// backward takes the newest first and then turns them round.
func (q *selection) backward(tx *layout.Tx, waiting []store.Event) (err error) {
	for _, e := range slices.Backward(Uncommitted(tx, waiting)) {
		q.add(e)
	}
	c := tx.Bucket(layout.Audit).Cursor()
	for key, sealed := c.Last(); key != nil && !q.full() && err == nil; key, sealed = c.Prev() {
		if binary.BigEndian.Uint64(key) <= q.After {
			break
		}
		err = q.addRaw(tx, key, sealed)
	}
	slices.Reverse(q.events)
	return err
}

// Uncommitted leaves out of waiting what has been committed since it was returned by Waiting.
func Uncommitted(tx *layout.Tx, waiting []store.Event) []store.Event {
	last := lastSeq(tx)
	for len(waiting) > 0 && waiting[0].Seq <= last {
		waiting = waiting[1:]
	}
	return waiting
}
