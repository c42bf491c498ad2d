package audit

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/loglimit"
	"signet/store"
)

// Config configures a Recorder. Store, Log and Now are required.
type Config struct {
	Store store.Audit
	Log   *slog.Logger
	Now   func() time.Time

	// Keys derive from the master keys, in their order; the first one signs and hashes names. None: lines
	// are not signed, and names that may be no user's are left out.
	Keys    [][32]byte
	Install string // id
	Replica string // random, one a process

	// ShowNames reports whether names that may be no user's are recorded as they were typed; nil: they are not.
	ShowNames func() bool

	Registry prometheus.Registerer // nil: no metrics
}

const (
	queueSize = 4096
	batchSize = 256
)

// Limits of what callers can repeat, a minute.
var (
	// strangers are callers that authenticated as no client, or as a public one, which needs no secret.
	strangers = loglimit.Limit{Window: time.Minute, PerKey: 10, Total: 100, Keys: 2048}
	// clients are those with a secret or a key.
	clients = loglimit.Limit{Window: time.Minute, PerKey: 10, Total: 100, Keys: 2048}
	// own are changes that a client makes to what is its own.
	own = loglimit.Limit{Window: time.Minute, PerKey: 60, Total: 600, Keys: 2048}
)

// Recorder takes events off the request path and writes them to the store in batches, and to the log at
// once. No method waits for the store. What the store cannot take is counted, and is in the log alone, unless the store
// has it in its outbox.
type Recorder struct {
	cfg    Config
	signer Signer
	names  []func() []byte

	arrivals arrivals

	lostEvents, withheld prometheus.Counter

	strangers, clients, own *loglimit.Limiter
	lines                   *loglimit.Limiter // of refusals, in the log

	done   sync.WaitGroup
	mu     sync.RWMutex // guards the close of queue against a send
	queue  chan queued
	closed bool
}

// New returns a Recorder; Close it.
func New(cfg Config) *Recorder {
	if cfg.ShowNames == nil {
		cfg.ShowNames = func() bool { return false }
	}
	r := &Recorder{cfg: cfg, signer: Signer{install: cfg.Install, replica: cfg.Replica, log: cfg.Log},
		strangers: loglimit.NewLimiter(strangers), clients: loglimit.NewLimiter(clients), own: loglimit.NewLimiter(own),
		lines: loglimit.NewLimiter(loglimit.Lines), queue: make(chan queued, queueSize),
		lostEvents: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_lost_total",
			Help: "Audit events that are in the log but could not be written to the store's audit trail."}),
		withheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_withheld_total",
			Help: "Audit events that the trail has as a part of a count only: what callers can repeat, beyond some a minute."})}
	if cfg.Registry != nil {
		cfg.Registry.MustRegister(r.lostEvents, r.withheld)
	}
	for i, secret := range cfg.Keys {
		if i == 0 {
			chain := chainKey(secret)
			r.signer.key = func() []byte { return chain }
		}
		name := nameKey(secret)
		r.names = append(r.names, func() []byte { return name })
	}
	r.cfg.Keys = nil
	r.done.Go(r.run)
	return r
}

// NameHashes returns the keyed hashes of a username, one for each master key; the first is that of
// DetailNameHash.
func (r *Recorder) NameHashes(username string) []string {
	hashes := make([]string, len(r.names))
	for i, key := range r.names {
		hashes[i] = base64.RawURLEncoding.EncodeToString(mac(key(), username)[:12])
	}
	return hashes
}

// NameHash returns the first of NameHashes, or "" without a key.
func (r *Recorder) NameHash(username string) string {
	if len(r.names) == 0 {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(mac(r.names[0](), username)[:12])
}

// queued is an event on its way to the store.
type queued struct {
	store.Event
	drop bool // the event is not for the trail: only its entry of the outbox is to go
}

// Record records a change of state, or what an operator did.
func (r *Recorder) Record(e store.Event) {
	r.signer.write(e)
	r.enqueue(queued{Event: e})
}

// Drop takes the event of a change out of the outbox, where it is there: the change is not recorded.
func (r *Recorder) Drop(e store.Event) {
	if e.Outbox != "" {
		r.enqueue(queued{e, true})
	}
}

func (r *Recorder) recordRateLimited(e store.Event, from netip.Prefix) {
	r.tick(e.At)
	r.signer.write(e)
	if r.own.Allow(e.At, loglimit.Key{Type: e.Type, Client: e.ClientID, Network: from}, e.Address) {
		r.enqueue(queued{Event: e})
	} else {
		r.Drop(e)
		r.withheld.Inc()
	}
}

// recordRefused records what an outsider can cause at will. authenticated reports whether the caller has proved to
// be the event's client, with something that is not public.
func (r *Recorder) recordRefused(e store.Event, from netip.Prefix, authenticated bool) {
	r.tick(e.At)
	limiter := r.strangers
	if authenticated {
		limiter = r.clients
	}
	key := loglimit.Key{Type: e.Type, Client: e.ClientID, Network: from}
	if r.lines.Allow(e.At, key, e.Address) {
		r.signer.write(e)
	}
	if limiter.Allow(e.At, key, e.Address) {
		r.enqueue(queued{Event: e})
	} else {
		r.withheld.Inc()
	}
}

// Tick records the counts of windows that have ended. Call it now and then; the other methods do it too.
func (r *Recorder) Tick() { r.tick(r.cfg.Now()) }

func (r *Recorder) tick(now time.Time) {
	for _, l := range []*loglimit.Limiter{r.strangers, r.clients, r.own} {
		for _, s := range l.Ended(now) {
			r.Record(summaryEvent(s))
		}
	}
	loglimit.Log(r.cfg.Log, Message, r.lines.Ended(now))
}

// summaryEvent returns the event that stands for a count on the trail.
func summaryEvent(s loglimit.Summary) store.Event {
	e := store.Event{At: s.Until, Type: s.Type, Outcome: store.OutcomeMore, ClientID: s.Client, Address: s.Address,
		Detail: map[string]string{store.DetailMore: strconv.Itoa(s.More), "since": s.Since.UTC().Format(time.RFC3339)}}
	if s.Network.IsValid() {
		e.Detail[store.DetailNetwork] = s.Network.String()
	} else {
		e.Address = "" // of one of many
	}
	return e
}

func (r *Recorder) enqueue(e queued) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		r.lost(e.Event)
		return
	}
	select {
	case r.queue <- e:
	default:
		r.lost(e.Event)
	}
}

// lost counts events that the store does not take. Those in its outbox reach the trail by themselves.
func (r *Recorder) lost(events ...store.Event) (n int) {
	for _, e := range events {
		if e.Outbox == "" {
			n++
		}
	}
	if n > 0 {
		r.lostEvents.Add(float64(n))
	}
	return n
}

// run writes until Close, gathering what has come while the last batch was being written.
func (r *Recorder) run() {
	for first := range r.queue {
		r.write(r.gather([]queued{first}))
	}
}

func (r *Recorder) gather(batch []queued) []queued {
	for len(batch) < batchSize {
		select {
		case e, ok := <-r.queue:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

func (r *Recorder) write(batch []queued) {
	var events []store.Event
	var dropped []string
	for _, e := range batch {
		if e.drop {
			dropped = append(dropped, e.Outbox)
		} else {
			events = append(events, e.Event)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if len(events) > 0 {
		err := r.cfg.Store.AppendEvents(ctx, events)
		r.arrivals.notify(events, err)
		if err != nil {
			r.cfg.Log.Warn("writing the audit trail", slog.Int("lost", r.lost(events...)), slog.Any("error", err))
		}
	}
	if len(dropped) > 0 {
		if err := r.cfg.Store.DropEvents(ctx, dropped); err != nil {
			r.cfg.Log.Warn("leaving changes off the audit trail; they appear on it later", slog.Int("events", len(dropped)), slog.Any("error", err))
		}
	}
}

// Close records the counts of the open window and writes what is queued. What comes later is counted as
// lost.
func (r *Recorder) Close() {
	now := r.cfg.Now()
	for _, l := range []*loglimit.Limiter{r.strangers, r.clients, r.own} {
		for _, s := range l.Flush(now) {
			r.Record(summaryEvent(s))
		}
	}
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.queue)
	}
	r.mu.Unlock()
	r.done.Wait()
}
