package bolt

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"signet/store"
	"signet/store/codec"
)

// The outbox has an event from the commit of its change until the commit that writes it to the trail. An entry is the
// time of its commit and the event as JSON.

// outboxBatch is how many entries of the outbox go to the trail at once.
const outboxBatch = 1024

// updateWithEvents is update for a change that has audit events: where the change writes something, they are kept in the
// same transaction.
func (s *Store) updateWithEvents(ctx context.Context, events []*store.Event, apply func(*txn) error) error {
	names, entries := make([]string, len(events)), make([][]byte, len(events))
	for i, e := range events {
		var err error
		if entries[i], err = s.newEntry(*e); err != nil {
			return err
		}
		names[i] = rand.Text()
	}
	kept := false
	err := s.submit(ctx, &request{apply: func(t *txn) error {
		before := t.writes
		err := apply(t)
		if kept = err == nil && t.writes != before; !kept {
			return err
		}
		for i, name := range names {
			if err := t.put(bucketOutbox, []byte(name), entries[i]); err != nil {
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

func (s *Store) newEntry(e store.Event) ([]byte, error) {
	e.At = store.Millis(e.At)
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit event: %w", err)
	}
	return append(codec.AppendTime(nil, s.now()), raw...), nil
}

func readEntry(tx reader, name, sealed []byte) (since time.Time, e store.Event, err error) {
	entry, err := tx.opened(bucketOutbox, name, sealed)
	if err != nil {
		return since, e, err
	}
	return decodeEntry(entry)
}

func decodeEntry(entry []byte) (since time.Time, e store.Event, err error) {
	r := codec.NewReader(entry)
	since = r.Time()
	if err := r.Err(); err != nil {
		return since, e, err
	}
	return since, e, json.Unmarshal(r.Rest(), &e)
}

// keepRotation keeps the event of a rotation, where its outcome has one.
func (s *Store) keepRotation(t *txn, r store.Rotation, o store.Outcome) error {
	name := r.Outbox()
	if _, _, has := o.Event(); !has || name == "" {
		return nil
	}
	entry, err := s.newEntry(store.RotationEvent(r, o))
	if err != nil {
		return err
	}
	return t.put(bucketOutbox, []byte(name), entry)
}

// KeepEvent implements store.Audit.
func (s *Store) KeepEvent(ctx context.Context, e *store.Event) error {
	if e.Outbox != "" {
		return nil
	}
	return s.updateWithEvents(ctx, []*store.Event{e}, func(t *txn) error {
		t.writes++ // the entry itself
		return nil
	})
}

// DropEvents implements store.Audit.
func (s *Store) DropEvents(ctx context.Context, outbox []string) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	a := &s.audit
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.dropped)+len(outbox) > maxPending {
		return s.unavailable("auditing in", errBacklog)
	}
	a.dropped = append(a.dropped, outbox...)
	s.queueLater()
	return nil
}

// takeOut takes an entry out of the outbox, and reports false where it is not there: its event is on the trail.
func takeOut(t *txn, name string) (bool, error) {
	if t.get(bucketOutbox, []byte(name)) == nil {
		return false, nil
	}
	return true, t.del(bucketOutbox, []byte(name))
}

// emptyOutbox has all that an earlier process has left in the outbox put on the trail. What fails is left to Sweep.
func (s *Store) emptyOutbox(ctx context.Context) {
	for {
		n, err := s.appendKept(ctx, func(time.Time) bool { return true })
		if err == nil && n > 0 {
			err = s.submit(ctx, &request{flush: true, apply: func(*txn) error { return nil }})
		}
		if err != nil {
			s.log.Warn("audit events of an earlier process are not on the trail yet", slog.Any("error", err))
		}
		if err != nil || n < outboxBatch {
			return
		}
	}
}

// appendKept appends events that are in the outbox since a time that ripe accepts, and returns how many.
func (s *Store) appendKept(ctx context.Context, ripe func(since time.Time) bool) (int, error) {
	var events []store.Event
	leaving := s.audit.leaving() // before the snapshot, so that none is missed between the two
	err := s.viewContext(ctx, func(tx snapshot) error {
		c := tx.Bucket(bucketOutbox).Cursor()
		for name, sealed := c.First(); name != nil && len(events) < outboxBatch; name, sealed = c.Next() {
			since, e, err := readEntry(tx, name, sealed)
			switch {
			case err != nil:
				_ = s.unreadable(err) // it is noted as damage, and stays
			case ripe(since) && !leaving[string(name)]:
				e.Outbox = string(name)
				events = append(events, e)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return len(events), s.AppendEvents(ctx, events)
}
