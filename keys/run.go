package keys

import (
	"context"
	"math/rand/v2"
	"time"
)

// Run keeps the keyring up to date: it calls Step at once, every Config.Poll ± 20 %, and after Poll, until
// ctx ends; then it returns nil. Errors are logged and reported as events; they do not end it.
func (m *Manager) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := m.Step(ctx); err != nil && ctx.Err() == nil {
			m.cfg.Log.Warn("keeping the keyring", "error", err)
		}
		if ctx.Err() == nil {
			_ = m.Probe(ctx) // which has logged it
		}
		m.pause(ctx)
	}
	return nil
}

// Poll asks Run to read the keyring soon instead of at its next turn. It never blocks.
func (m *Manager) Poll() {
	select {
	case m.poll <- struct{}{}:
	default:
	}
}

// pause waits for the next turn. Poll shortens it to a tenth of Config.Poll, so that many requests for it do
// not overload the store.
func (m *Manager) pause(ctx context.Context) {
	least := m.cfg.Poll / 10
	if !sleep(ctx, least, nil) {
		return
	}
	jitter := time.Duration((rand.Float64()*0.4 - 0.2) * float64(m.cfg.Poll)) // replicas spread out
	sleep(ctx, m.cfg.Poll-least+jitter, m.poll)
}

// sleep reports whether it ended because of d; a nil wake never ends it.
func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-wake:
		return false
	case <-ctx.Done():
		return false
	}
}
