package audit

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/store"
)

// fakeTrail notes what a Recorder asks of the store.
type fakeTrail struct {
	store.Audit
	err error

	mu       sync.Mutex
	appended []store.Event
	dropped  []string
}

func (f *fakeTrail) AppendEvents(_ context.Context, events []store.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.appended = append(f.appended, events...)
	return f.err
}

func (f *fakeTrail) DropEvents(_ context.Context, outbox []string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropped = append(f.dropped, outbox...)
	return f.err
}

func newRecorder(f *fakeTrail) (*Recorder, *prometheus.Registry) {
	reg := prometheus.NewRegistry()
	return New(Config{Store: f, Log: slog.New(slog.DiscardHandler), Now: time.Now, Registry: reg}), reg
}

// TestDropped: an event whose change was taken back, or that the trail leaves out, goes from the outbox.
func TestDropped(t *testing.T) {
	var trail fakeTrail
	r, _ := newRecorder(&trail)
	r.Drop(store.Event{Outbox: "taken back"})
	r.Drop(store.Event{}) // nothing was kept
	for range own.PerKey + 1 {
		r.recordRateLimited(store.Event{At: time.Now(), Type: store.EventRevoke, Outcome: store.OutcomeOK, Outbox: "x"}, netip.Prefix{})
	}
	r.Close()
	if !slices.Equal(trail.dropped, []string{"taken back", "x"}) {
		t.Errorf("got %q dropped", trail.dropped)
	}
	if n := len(trail.appended) - 1; n != own.PerKey { // and the count of what was left out
		t.Errorf("got %d events appended, want %d", n, own.PerKey)
	}
}

// TestLost: an event that the store has in its outbox is not lost when it cannot be appended.
func TestLost(t *testing.T) {
	trail := fakeTrail{err: errors.New("away")}
	r, reg := newRecorder(&trail)
	r.Record(store.Event{Type: store.EventLogin, Outbox: "x"})
	r.Record(store.Event{Type: store.EventLogin})
	r.Close()
	r.Record(store.Event{Type: store.EventLogin, Outbox: "x"})
	r.Record(store.Event{Type: store.EventLogin})
	families, err := reg.Gather()
	if err != nil || families[0].GetName() != "signet_audit_events_lost_total" {
		t.Fatalf("got %v, %v", families, err)
	}
	if lost := families[0].GetMetric()[0].GetCounter().GetValue(); lost != 2 {
		t.Errorf("%v events are counted as lost, want 2", lost)
	}
}
