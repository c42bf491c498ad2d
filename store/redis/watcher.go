package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
)

// watcher knows the masters, so that a new one is noticed.
type watcher struct {
	mu      sync.Mutex
	masters map[string]conn.Server // by run id
	failed  error                  // of the last look

	soon       chan struct{} // holds one: there is a new connection, perhaps to a new master
	incomplete atomic.Bool   // something could not be revoked again yet

	unnoted atomic.Bool // which masters there are could not be written down yet

	changes   atomic.Uint64 // of a master
	reapplied atomic.Uint64 // revocations done again
}

func newWatcher() *watcher { return &watcher{soon: make(chan struct{}, 1)} }

// checkSoon has the masters checked soon. It never blocks.
func (w *watcher) checkSoon() {
	select {
	case w.soon <- struct{}{}:
	default:
	}
}

// checkAtMost bounds how often new connections make us look.
const checkAtMost = 100 * time.Millisecond

// watchMasters checks the masters every Config.ReplicaPoll, and when there are new connections, until ctx ends.
func (s *Store) watchMasters(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.ReplicaPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.watch.soon:
			select {
			case <-ctx.Done():
				return
			case <-time.After(checkAtMost):
			}
		}
		if err := s.checkMasters(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("looking at the Redis servers", slog.Any("error", err))
		}
	}
}

// checkMasters asks every master who it is. Where one is new, what was revoked lately is revoked
// again: it may be a replica that took over without having heard of it, or a server that was
// restarted from an older file.
func (s *Store) checkMasters(ctx context.Context) error {
	masters, changed, err := s.compareMasters(ctx)
	if err != nil {
		return err
	}
	if changed || s.watch.unnoted.Load() {
		if _, err := s.noteMasters(ctx, masters); err != nil {
			s.log.Debug("noting the Redis masters; it is tried again", slog.Any("error", err))
		}
	}
	if changed || s.watch.incomplete.Load() {
		s.reapplyRevocations(ctx)
	}
	return nil
}

// reapplyRevocations does what was revoked lately again, and marks the assertions that were used. Where something fails, often because a master
// that has just taken over has no replica yet, all is done again with the next look; this replica
// does not believe the store meanwhile. Another install's data are left alone.
func (s *Store) reapplyRevocations(ctx context.Context) {
	if _, err := s.Install(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
		s.watch.incomplete.Store(true)
		return
	}
	used, failedToUse := s.reapplyUsed(ctx) // first: they are quick, and an assertion is of use to a thief only for minutes
	applied, failed := s.revocations.Reapply(ctx, s)
	s.watch.reapplied.Add(uint64(applied))
	s.watch.incomplete.Store(failed > 0 || failedToUse != nil)
	if used > 0 {
		s.log.Warn("client assertions that were used lately were marked again", slog.Int("assertions", used), slog.Any("error", failedToUse))
	}
	if applied+failed > 0 {
		s.log.Warn("what was revoked lately was revoked again", slog.Int("revocations", applied), slog.Int("failed", failed))
	}
}

// Stats are counts for the operator.
type Stats struct {
	MasterChanges uint64        // masters that took over or were restarted while this process ran
	Reapplied     uint64        // revocations that were done again because of that
	LateCommands  uint64        // answers that a command had come after its deadline, and had changed nothing
	Sessions      int           // that were alive when the sweep had last gone through all of them
	Sweeps        bool          // this process sweeps and has gone through all once; else Sessions is 0
	BreakersOpen  int           // servers that are answered for with an error at once at this moment
	HintAge       time.Duration // since the last hint that this replica has sent to itself arrived
	Pool          redis.PoolStats
}

// Stats returns the counts of this moment.
func (s *Store) Stats() Stats {
	transport := s.conn.Stats()
	stats := Stats{MasterChanges: s.watch.changes.Load(), Reapplied: s.watch.reapplied.Load(), LateCommands: transport.LateCommands,
		BreakersOpen: transport.BreakersOpen, HintAge: s.channel.Age(), Pool: transport.Pool}
	stats.Sessions, stats.Sweeps = s.sweeper.sessions()
	return stats
}
