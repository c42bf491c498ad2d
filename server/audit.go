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

	withheld func()
	budget   noiseBudget

	mu     sync.RWMutex // guards the close of events against a send
	events chan event
	closed bool
}

const (
	auditQueue = 4096
	auditBatch = 256
)

func newAuditor(s store.Audit, log *slog.Logger, lost func(int), withheld func()) *auditor {
	a := &auditor{store: s, log: log, lost: lost, withheld: withheld, events: make(chan event, auditQueue)}
	a.done.Go(a.run)
	return a
}

// add records what happened in the call. It never waits.
func (a *auditor) add(c *call, e event) { a.record(a.about(c, e)) }

// noise records what anybody can provoke as often as they like. All of it is in the log; of the trail,
// which keeps so many events, it gets a few places a minute, so that it pushes nothing else out.
func (a *auditor) noise(c *call, e event) {
	e = a.about(c, e)
	if a.budget.spend(e.At) {
		a.record(e)
		return
	}
	a.write(e)
	a.withheld()
}

// refusal records one. In no client's name, or in a public client's, anybody could have provoked it.
func (a *auditor) refusal(c *call, e event) {
	if c.client == nil || c.client.Public {
		a.noise(c, e)
		return
	}
	a.add(c, e)
}

// refused records a refusal of which nothing else was recorded.
func (a *auditor) refused(c *call, rt *route, refusal *oauthError) {
	e := event{Type: rt.name, Outcome: "refused", Detail: map[string]string{"reason": refusal.reason()}}
	if refusal.Status >= http.StatusInternalServerError {
		e.Outcome = "unavailable"
	}
	a.refusal(c, e)
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

// noisePerMinute are the places of noise on the trail: some 14,000 a day, of 100,000.
const noisePerMinute = 10

// noiseBudget counts them.
type noiseBudget struct {
	mu    sync.Mutex
	since time.Time // the minute that spent counts
	spent int
}

func (b *noiseBudget) spend(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if age := now.Sub(b.since); age < 0 || age >= time.Minute {
		b.since, b.spent = now, 0
	}
	b.spent++
	return b.spent <= noisePerMinute
}
