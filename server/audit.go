package server

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"signet/store"
)

type event = store.Event

// auditor takes events off the request path and writes them to the store in batches. The log has
// each of them as well; what the store cannot take is counted and lost from the trail only.
type auditor struct {
	store store.Audit
	log   *slog.Logger
	lost  func(n int)
	done  sync.WaitGroup

	mu     sync.RWMutex // guards the close of events against a send
	events chan event
	closed bool
}

const (
	auditQueue = 4096
	auditBatch = 256
)

func newAuditor(s store.Audit, log *slog.Logger, lost func(int)) *auditor {
	a := &auditor{store: s, log: log, lost: lost, events: make(chan event, auditQueue)}
	a.done.Go(a.run)
	return a
}

// add records what happened in the call. It never waits.
func (a *auditor) add(c *call, e event) { a.record(a.about(c, e)) }

// refused records a refusal of which nothing else was recorded. One that anybody could provoke, in
// no client's name or in a public client's, is an event in the log alone: the trail keeps so many,
// and noise must not push the others out.
func (a *auditor) refused(c *call, rt *route, refusal *oauthError) {
	e := event{Type: rt.name, Outcome: "refused", Detail: map[string]string{"reason": refusal.reason()}}
	if refusal.Status >= http.StatusInternalServerError {
		e.Outcome = "unavailable"
	}
	if c.client == nil || c.client.Public {
		a.write(a.about(c, e))
		return
	}
	a.add(c, e)
}

// about fills in what is known of the call.
func (a *auditor) about(c *call, e event) event {
	c.audited = true
	e.At = c.begun
	e.RequestID = c.id
	e.KeyID = c.kid
	if c.address.IsValid() {
		e.Address = c.address.String()
	}
	if c.client != nil && e.ClientID == "" {
		e.ClientID = c.client.ID
	}
	if e.Subject == "" {
		e.Subject = c.subject
	}
	if e.SessionID == "" && !c.session.IsZero() {
		e.SessionID = c.session.String()
	}
	return e
}

// write puts the event in the log.
func (a *auditor) write(e event) {
	a.log.LogAttrs(context.Background(), slog.LevelInfo, "audit", eventAttrs(e)...)
}

// record puts it in the log and on the trail.
func (a *auditor) record(e event) {
	a.write(e)
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.closed {
		a.lost(1)
		return
	}
	select {
	case a.events <- e:
	default:
		a.lost(1)
	}
}

// eventAttrs is an event as the log has it.
func eventAttrs(e event) []slog.Attr {
	attrs := []slog.Attr{slog.String("type", e.Type), slog.String("outcome", e.Outcome), slog.Time("at", e.At.UTC())} // a line is written later
	for _, field := range [...]struct{ name, value string }{{"request_id", e.RequestID}, {"actor", e.Actor}, {"client_id", e.ClientID},
		{"sub", e.Subject}, {"sid", e.SessionID}, {"kid", e.KeyID}, {"address", e.Address}} {
		attrs = appendNonEmpty(attrs, field.name, field.value)
	}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		attrs = appendNonEmpty(attrs, name, e.Detail[name])
	}
	return attrs
}

// run writes until close, gathering what has come while the last batch was being written.
func (a *auditor) run() {
	for first := range a.events {
		batch := []event{first}
	gather:
		for len(batch) < auditBatch {
			select {
			case e, ok := <-a.events:
				if !ok {
					break gather
				}
				batch = append(batch, e)
			default:
				break gather
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		if err := a.store.AppendEvents(ctx, batch); err != nil {
			a.lost(len(batch))
			a.log.Warn("writing the audit trail", slog.Int("lost", len(batch)), slog.Any("error", err))
		}
		cancel()
	}
}

// close writes what is queued; what comes later is counted as lost.
func (a *auditor) close() {
	a.mu.Lock()
	if !a.closed {
		a.closed = true
		close(a.events)
	}
	a.mu.Unlock()
	a.done.Wait()
}
