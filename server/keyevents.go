package server

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"signet/keys"
	"signet/store"
)

// keyEvents has the events of the keyring that is being written, until they are recorded.
type keyEvents struct {
	mu     sync.Mutex
	events []*store.Event
}

// set replaces the events. Those before were of a keyring that was not written, or have been recorded.
func (k *keyEvents) set(events []*store.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = events
}

// take returns the entry of the outbox that has e, and forgets it.
func (k *keyEvents) take(e store.Event) (outbox string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := slices.IndexFunc(k.events, func(kept *store.Event) bool {
		return kept.Type == e.Type && kept.KeyID == e.KeyID && kept.Detail["version"] == e.Detail["version"]
	})
	if at < 0 {
		return ""
	}
	outbox = k.events[at].Outbox
	k.events = slices.Delete(k.events, at, at+1)
	return outbox
}

// WritingKeys returns the context for writing a keyring: the store keeps the events with it. See keys.Config.Writing.
func (s *Server) WritingKeys(ctx context.Context, events []keys.Event) context.Context {
	kept := make([]*store.Event, len(events))
	for i, event := range events {
		e := s.keyEvent(event)
		kept[i] = &e
		ctx = store.WithEvent(ctx, kept[i])
	}
	s.keyEvents.set(kept)
	return ctx
}

// KeyEvent puts what happened to a signing key on the audit trail.
func (s *Server) KeyEvent(event keys.Event) {
	e := s.keyEvent(event)
	e.Outbox = s.keyEvents.take(e)
	s.audit.Record(e)
}

func (s *Server) keyEvent(e keys.Event) store.Event {
	detail := map[string]string{"alg": e.Alg, "version": strconv.FormatUint(e.Version, 10)}
	if e.Offset != 0 {
		detail["offset"] = e.Offset.Round(100 * time.Millisecond).String()
	}
	return store.Event{At: s.now(), Type: store.EventKeyPrefix + string(e.Step), Outcome: store.OutcomeOK, Actor: "keyring", KeyID: e.KID, Detail: detail}
}
