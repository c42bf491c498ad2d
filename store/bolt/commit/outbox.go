package commit

import (
	"context"
	"crypto/rand"

	"signet/store"
	"signet/store/bolt/layout"
)

// UpdateWithEvents is Update for a change that has audit events: where the change writes something, they are kept in the
// same transaction.
func (db *DB) UpdateWithEvents(ctx context.Context, events []*store.Event, apply func(*layout.Tx) error) error {
	names, entries := make([]string, len(events)), make([][]byte, len(events))
	for i, e := range events {
		var err error
		if entries[i], err = layout.NewEntry(*e, db.Now()); err != nil {
			return err
		}
		names[i] = rand.Text()
	}
	kept := false
	err := db.submit(ctx, &request{apply: func(t *layout.Tx) error {
		before := t.Writes
		err := apply(t)
		if kept = err == nil && t.Writes != before; !kept {
			return err
		}
		for i, name := range names {
			if err := t.Put(layout.Outbox, []byte(name), entries[i]); err != nil {
				return err
			}
		}
		return nil
	}})
	if err == nil && kept {
		for i, e := range events {
			e.Outbox = names[i]
		}
	}
	return err
}
