package server

import (
	"context"
	"sync"

	"signet/store"
)

// watchedTrail is the store's audit trail, with word for those who wait for an event to reach it. The
// auditor keeps the order, so everything that was recorded before that event has been there too.
type watchedTrail struct {
	store.Audit

	mu      sync.Mutex
	waiting map[string]chan error // by the id of the request that the event is of
}

// AppendEvents implements store.Audit.
func (w *watchedTrail) AppendEvents(ctx context.Context, events []event) error {
	err := w.Audit.AppendEvents(ctx, events)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 {
		return err
	}
	for _, e := range events {
		if arrived := w.waiting[e.RequestID]; arrived != nil {
			arrived <- err
			delete(w.waiting, e.RequestID)
		}
	}
	return err
}

// expect is called before the event is recorded. What comes out of arrived is whether the store has
// taken it; of an event that is lost on the way nothing does. Who does not wait any more forgets it.
func (w *watchedTrail) expect(requestID string) (arrived <-chan error, forget func()) {
	word := make(chan error, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting == nil {
		w.waiting = map[string]chan error{}
	}
	w.waiting[requestID] = word
	return word, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting, requestID)
	}
}
