// Package replica lets the replicas on one store find each other by heartbeats in the store.
//
// A heartbeat has what a replica holds: the version of its keyring, its master keys, its clock and its settings. From
// those of the others a replica learns whether its own clock is off, whether they have followed a change of the
// keyring, and whether they have other settings.
//
// A replica whose clock is off decides nothing: its tokens would have the wrong time, and so would the sessions,
// revocations and attempts that it writes for the others.
package replica

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/store"
)

const (
	beatEvery = 20 * time.Second // how often a replica writes its heartbeat
	beatTTL   = time.Minute      // how long that counts

	// After its start a replica has no other clock than the store's, until it has seen two heartbeats of another
	// replica. So it writes more of them at first.
	firstBeats     = time.Minute
	firstBeatEvery = 2 * time.Second
)

// Config configures a Replica. All fields are required.
type Config struct {
	ID        string // random, one a process
	Issuer    string
	Timetable string // of the signing keys: settings and values, separated by spaces
	Keys      *keys.Manager
	Store     Store
	Now       func() time.Time
	Log       *slog.Logger
	Registry  prometheus.Registerer

	AfterBeat func(ctx context.Context) // is called after each regular heartbeat of Run
}

// Store is what a Replica needs of the store. If it is a store.Sealer, a heartbeat has the format of its records.
type Store interface {
	Beat(ctx context.Context, hb store.Heartbeat, ttl time.Duration) error
	Beats(ctx context.Context, now time.Time) ([]store.Heartbeat, error)
}

// Replica is this replica and what it has learned of the others.
type Replica struct {
	cfg Config

	live, behind atomic.Int64 // replicas, this one included; those of them with an older keyring than ours
	differing    atomic.Int64 // those of them with other settings

	mu         sync.Mutex
	difference string // that was logged last
}

// New returns a Replica and registers its metrics.
func New(cfg Config) *Replica {
	r := &Replica{cfg: cfg}
	gauge := func(name, help string, value *atomic.Int64) {
		cfg.Registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value.Load()) }))
	}
	gauge("signet_replicas_live", "Replicas that gave a sign of life in the last minute.", &r.live)
	gauge("signet_replicas_differing", "Replicas of these that have another issuer or another timetable of the signing keys.", &r.differing)
	gauge("signet_replicas_behind", "Replicas of these whose keyring is older than the one held here.", &r.behind)
	return r
}

// ID returns the id of this replica.
func (r *Replica) ID() string { return r.cfg.ID }

// Run writes heartbeats until ctx ends, and then takes the last one back.
func (r *Replica) Run(ctx context.Context) {
	timer := time.NewTimer(firstBeatEvery)
	defer timer.Stop()
	r.Beat(ctx)
	defer r.withdraw()
	for started := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			r.Beat(ctx)
			r.cfg.AfterBeat(ctx)
			timer.Reset(untilBeat(time.Since(started)))
		case <-r.cfg.Keys.Changed(): // an operator may be waiting for this replica to have it
			r.Beat(ctx)
		}
	}
}

// untilBeat returns how long it is to the next heartbeat of a replica that has run for that long.
func untilBeat(running time.Duration) time.Duration {
	if running < firstBeats {
		return firstBeatEvery
	}
	return beatEvery
}

// Beat writes a heartbeat and reads those of the others.
func (r *Replica) Beat(ctx context.Context) {
	err := r.publish(ctx, beatTTL)
	if err == nil {
		err = r.comparePeers(ctx)
	}
	if err == nil {
		err = r.count(ctx)
	}
	if err != nil && ctx.Err() == nil {
		r.cfg.Log.Warn("heartbeat", slog.Any("error", err))
	}
}

// withdraw takes this replica out of the list at an orderly end, so that no operator waits for it.
func (r *Replica) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.publish(ctx, 0); err != nil {
		r.cfg.Log.Warn("taking the heartbeat back", slog.Any("error", err))
	}
}

// publish writes what this replica holds. The others count it for ttl.
func (r *Replica) publish(ctx context.Context, ttl time.Duration) error {
	hb := store.Heartbeat{Replica: r.cfg.ID, KeyringVersion: r.cfg.Keys.Version(), At: r.cfg.Now(),
		MasterKeys: strings.Join(r.cfg.Keys.MasterKeyHints(), ","), Issuer: r.cfg.Issuer, Timetable: r.cfg.Timetable}
	if sealer, ok := r.cfg.Store.(store.Sealer); ok {
		hb.Format = sealer.Format()
	}
	return r.cfg.Store.Beat(ctx, hb, ttl)
}

// comparePeers gives the keyring what the clocks of the other replicas show. It reads heartbeats of long ago too, since
// this clock may be ahead, and all if it is known to be off: the store forgets what it takes for over.
func (r *Replica) comparePeers(ctx context.Context) error {
	asked := r.cfg.Now()
	since := asked.Add(-24 * time.Hour)
	if r.cfg.Keys.Clock().Check() != nil {
		since = time.Time{}
	}
	beats, err := r.cfg.Store.Beats(ctx, since)
	if err != nil {
		return err
	}
	clocks := make(map[string]time.Time, len(beats))
	for _, b := range beats {
		if b.Replica != r.cfg.ID {
			clocks[b.Replica] = b.At
		}
	}
	r.cfg.Keys.Clock().ObservePeers(asked, clocks)
	return nil
}

// Live returns the heartbeats of the replicas that run. A replica whose clock is off reads all and chooses itself: the
// store forgets what it takes for over, and the heartbeats decide whether this replica is wrong or the store.
func (r *Replica) Live(ctx context.Context) ([]store.Heartbeat, error) {
	if r.cfg.Keys.Clock().Check() == nil {
		return r.cfg.Store.Beats(ctx, r.cfg.Now())
	}
	now := r.rightTime()
	beats, err := r.cfg.Store.Beats(ctx, time.Time{})
	return slices.DeleteFunc(beats, func(b store.Heartbeat) bool { return !now.Before(b.At.Add(beatTTL)) }), err
}

// rightTime returns what the other replicas' clocks show, as far as it is known here.
func (r *Replica) rightTime() time.Time {
	if c := r.cfg.Keys.Clock().Status(); c.Off {
		return r.cfg.Now().Add(-c.Offset)
	}
	return r.cfg.Now()
}

// count counts the replicas.
func (r *Replica) count(ctx context.Context) error {
	beats, err := r.Live(ctx)
	if err != nil {
		return err
	}
	behind := 0
	for _, b := range beats {
		if b.KeyringVersion < r.cfg.Keys.Version() {
			behind++
		}
	}
	r.live.Store(int64(len(beats)))
	r.behind.Store(int64(behind))
	r.compareSettings(beats)
	return nil
}
