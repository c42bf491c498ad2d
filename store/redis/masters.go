package redis

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/record"
	"signet/store/redis/script"
)

// masters compares the masters with those of before, so that a new one is noticed.
type masters struct {
	record.Deps
	queries *record.Queries
	log     *slog.Logger
	every   time.Duration // between two looks at the servers

	mu     sync.Mutex
	known  map[string]conn.Server // by run id
	failed error                  // of the last look

	soon       chan struct{} // holds one: there is a new connection, perhaps to a new master
	incomplete atomic.Bool   // something could not be revoked again yet
	unnoted    atomic.Bool   // which masters there are could not be written down yet

	changes   atomic.Uint64 // of a master
	reapplied atomic.Uint64 // revocations done again
}

func newMasters(log *slog.Logger, every time.Duration) *masters {
	return &masters{log: log, every: every, soon: make(chan struct{}, 1)}
}

// checkSoon has the masters checked soon. It never blocks.
func (m *masters) checkSoon() {
	select {
	case m.soon <- struct{}{}:
	default:
	}
}

// checkAtMost bounds how often new connections make us look.
const checkAtMost = 100 * time.Millisecond

// watch checks the masters regularly, and when there are new connections, until ctx ends.
func (m *masters) watch(ctx context.Context) {
	ticker := time.NewTicker(m.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-m.soon:
			select {
			case <-ctx.Done():
				return
			case <-time.After(checkAtMost):
			}
		}
		if err := m.check(ctx); err != nil && ctx.Err() == nil {
			m.log.Debug("looking at the Redis servers", slog.Any("error", err))
		}
	}
}

// check asks every master who it is. Where one is new, what was revoked lately is revoked
// again: it may be a replica that took over without having received it, or a server that was
// restarted from an older file.
func (m *masters) check(ctx context.Context) error {
	now, changed, err := m.compare(ctx)
	if err != nil {
		return err
	}
	if changed || m.unnoted.Load() {
		if _, err := m.note(ctx, now); err != nil {
			m.log.Debug("noting the Redis masters; it is tried again", slog.Any("error", err))
		}
	}
	if changed || m.incomplete.Load() {
		m.reapply(ctx)
	}
	return nil
}

// reapply does what was revoked lately again, and marks the assertions that were used. Where something fails, often because a master
// that has just taken over has no replica yet, all is done again with the next look; this replica
// does not use the sessions and tokens of its log meanwhile. Another install's data are left alone.
func (m *masters) reapply(ctx context.Context) {
	if _, err := m.queries.Install(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
		m.incomplete.Store(true)
		return
	}
	used, failedToUse := m.queries.ReapplyUsed(ctx) // first: they are quick, and an assertion is of use to a thief only for minutes
	applied, failed := m.Revocations.Reapply(ctx, m.queries)
	m.reapplied.Add(uint64(applied))
	m.incomplete.Store(failed > 0 || failedToUse != nil)
	if used > 0 {
		m.log.Warn("client assertions that were used lately were marked again", slog.Int("assertions", used), slog.Any("error", failedToUse))
	}
	if applied+failed > 0 {
		m.log.Warn("what was revoked lately was revoked again", slog.Int("revocations", applied), slog.Int("failed", failed))
	}
}

// Loss implements store.Losses. Redis acknowledges before a write is safe, so every master that was
// restarted or has taken over may lack some. The run ids of the masters are kept in the store: a
// replica of Signet that was not there at the change notices it as well.
func (m *masters) Loss(ctx context.Context) (store.Loss, error) {
	now, changed, err := m.compare(ctx)
	if err != nil {
		return store.Loss{}, conn.Unavailable("looking at the masters", err)
	}
	if changed { // what is done again then takes longer than a request waits
		m.incomplete.Store(true)
		m.checkSoon()
	}
	return m.note(ctx, now)
}

// note writes down which masters there are, and returns the last loss.
func (m *masters) note(ctx context.Context, now map[string]conn.Server) (store.Loss, error) {
	ids := slices.Sorted(maps.Keys(now))
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	note := script.NoteMasters.Call(m.Key.All(layout.Install, layout.Masters, layout.Loss), args...)
	err := m.Conn.Do(ctx, "noting the masters", note)
	m.unnoted.Store(err != nil)
	if ms := note.Number(); err == nil && ms > 0 {
		return store.Loss{At: time.UnixMilli(ms).UTC()}, nil
	}
	return store.Loss{}, err
}

// compare asks every master who it is, and reports whether one is new since it was asked last.
func (m *masters) compare(ctx context.Context) (now map[string]conn.Server, changed bool, err error) {
	now, err = m.Conn.Masters(ctx)
	m.mu.Lock()
	m.failed = err
	before := m.known
	if err == nil {
		m.known = now
	}
	m.mu.Unlock()
	if err != nil {
		return nil, false, err
	}
	for id, server := range now {
		if _, known := before[id]; !known && before != nil {
			changed = true
			m.changes.Add(1)
			m.log.Warn("a Redis master has changed or was restarted", slog.String("address", server.Addr), slog.String("run_id", id))
		}
	}
	if before == nil {
		m.unnoted.Store(true)
	}
	return now, changed, nil
}

// lastError is that of the last look at the servers.
func (m *masters) lastError() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}
