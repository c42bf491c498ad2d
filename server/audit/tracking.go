package audit

import (
	"context"
	"sync"

	"signet/store"
)

// trackingStore is the store's audit trail. It notifies those who wait for an event to reach the trail. A Recorder
// keeps the order, so everything that was recorded before that event has reached the trail too.
type trackingStore struct {
	store.Audit

	mu      sync.Mutex
	waiting map[string]chan error // by the id of the event's request
}

// AppendEvents implements store.Audit.
func (t *trackingStore) AppendEvents(ctx context.Context, events []store.Event) error {
	err := t.Audit.AppendEvents(ctx, events)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) == 0 {
		return err
	}
	for _, e := range events {
		if arrived := t.waiting[e.RequestID]; arrived != nil {
			arrived <- err
			delete(t.waiting, e.RequestID)
		}
	}
	return err
}

// Expect is called before the event of a request is recorded. arrived yields the store's result for that event,
// and nothing if the event is lost on the way. Call forget to stop waiting.
func (r *Recorder) Expect(requestID string) (arrived <-chan error, forget func()) {
	t := &r.tracking
	result := make(chan error, 1)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.waiting == nil {
		t.waiting = map[string]chan error{}
	}
	t.waiting[requestID] = result
	return result, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.waiting, requestID)
	}
}
