package audit

import (
	"sync"

	"signet/store"
)

// arrivals notifies those who wait for an event to be in the store. A Recorder keeps the order, so everything that was
// recorded before that event is there too.
type arrivals struct {
	mu      sync.Mutex
	waiting map[string]chan error // by the id of the event's request
}

// notify passes on the store's result for the events.
func (a *arrivals) notify(events []store.Event, result error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.waiting) == 0 {
		return
	}
	for _, e := range events {
		if arrived := a.waiting[e.RequestID]; arrived != nil {
			arrived <- result
			delete(a.waiting, e.RequestID)
		}
	}
}

// Expect is called before the event of a request is recorded. arrived yields the store's result for that event,
// and nothing if the event is lost on the way. Call forget to stop waiting.
func (r *Recorder) Expect(requestID string) (arrived <-chan error, forget func()) {
	a := &r.arrivals
	result := make(chan error, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting == nil {
		a.waiting = map[string]chan error{}
	}
	a.waiting[requestID] = result
	return result, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.waiting, requestID)
	}
}
