package trail

import (
	"context"
	"log/slog"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

// outboxBatch is how many entries of the outbox go to the trail at once.
const outboxBatch = 1024

// KeepEvent implements store.Audit.
func (a *Trail) KeepEvent(ctx context.Context, e *store.Event) error {
	if e.Outbox != "" {
		return nil
	}
	return a.db.UpdateWithEvents(ctx, []*store.Event{e}, func(t *layout.Tx) error {
		t.Writes++ // the entry itself
		return nil
	})
}

// DropEvents implements store.Audit.
func (a *Trail) DropEvents(ctx context.Context, outbox []string) error {
	if err := a.db.Usable(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.dropped)+len(outbox) > maxPending {
		return a.db.Unavailable("auditing in", errBacklog)
	}
	a.dropped = append(a.dropped, outbox...)
	a.db.Later()
	return nil
}

// emptyOutbox writes to the trail what an earlier process has left in the outbox. What fails is left to the next sweep.
func (a *Trail) emptyOutbox(ctx context.Context) {
	for {
		n, err := a.AppendKept(ctx, func(time.Time) bool { return true })
		if err == nil && n > 0 {
			err = a.db.Flush(ctx, func(*layout.Tx) error { return nil })
		}
		if err != nil {
			a.db.Log.Warn("audit events of an earlier process are not on the trail yet", slog.Any("error", err))
		}
		if err != nil || n < outboxBatch {
			return
		}
	}
}

// AppendKept appends events that are in the outbox since a time that ripe accepts, and returns how many.
func (a *Trail) AppendKept(ctx context.Context, ripe func(since time.Time) bool) (int, error) {
	leaving := map[string]bool{}    // with the next flush
	waiting, dropped := a.waiting() // before the snapshot, so that none is missed between the two
	for _, e := range waiting {
		leaving[e.Outbox] = true
	}
	for _, name := range dropped {
		leaving[name] = true
	}
	var events []store.Event
	err := a.db.View(ctx, func(tx *layout.Tx) error {
		c := tx.Bucket(layout.Outbox).Cursor()
		for name, sealed := c.First(); name != nil && len(events) < outboxBatch; name, sealed = c.Next() {
			since, e, err := layout.ReadEntry(tx, name, sealed)
			switch {
			case err != nil:
				a.db.NoteUnreadable(err) // it stays
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
	return len(events), a.AppendEvents(ctx, events)
}
