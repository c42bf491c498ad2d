package redis

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
)

// watcher knows the masters, so that a new one is noticed.
type watcher struct {
	mu      sync.Mutex
	masters map[string]serverInfo // by run id
	failed  error                 // of the last look

	soon  chan struct{} // holds one: there is a new connection, perhaps to a new master
	again atomic.Bool   // something could not be revoked again yet

	unnoted atomic.Bool // which masters there are could not be written down yet

	changes   atomic.Uint64 // of a master
	reapplied atomic.Uint64 // revocations done again
}

// serverInfo is what a server says of itself, and where it is.
type serverInfo struct {
	addr   string
	fields map[string]string
}

func (w *watcher) init() { w.soon = make(chan struct{}, 1) }

// look asks for a look soon. It never blocks.
func (w *watcher) look() {
	select {
	case w.soon <- struct{}{}:
	default:
	}
}

// lookAtMost bounds how often new connections make us look.
const lookAtMost = 100 * time.Millisecond

// watchServers looks at the servers every now and then, and when there are new connections, until
// ctx ends.
func (s *Store) watchServers(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.ReplicaPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.watch.soon:
			if pause(ctx, lookAtMost) != nil {
				return
			}
		}
		if err := s.lookAtServers(ctx); err != nil && ctx.Err() == nil {
			s.log.Debug("looking at the Redis servers", slog.Any("error", err))
		}
	}
}

// lookAtServers asks every master who it is. Where one is new, what was revoked lately is revoked
// again: it may be a replica that took over without having heard of it, or a server that was
// restarted from an older file.
func (s *Store) lookAtServers(ctx context.Context) error {
	masters, changed, err := s.compareMasters(ctx)
	if err != nil {
		return err
	}
	if changed || s.watch.unnoted.Load() {
		if _, err := s.noteMasters(ctx, masters); err != nil {
			s.log.Debug("noting the Redis masters; it is tried again", slog.Any("error", err))
		}
	}
	if changed || s.watch.again.Load() {
		s.applyJournal(ctx)
	}
	return nil
}

// masters asks all of them. It goes past the breakers: this is how one finds out, too.
func (s *Store) masters(ctx context.Context) (map[string]serverInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+s.cfg.Timeout)
	defer cancel()
	found := map[string]serverInfo{}
	var mu sync.Mutex
	err := s.servers.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		text, err := node.Info(ctx).Result()
		if err != nil {
			return err
		}
		s.servers.sampleClock(ctx, node)
		info := serverInfo{node.Options().Addr, parseInfo(text)}
		if info.fields["loading"] == "1" {
			return errors.New("LOADING it is reading its data")
		}
		mu.Lock()
		defer mu.Unlock()
		found[info.fields["run_id"]] = info
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("there is no master")
	}
	return found, err
}

func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			fields[name] = value
		}
	}
	return fields
}

// applyJournal does what was revoked lately again, and marks the assertions that were used. Where something fails, often because a master
// that has just taken over has no replica yet, all is done again with the next look; this replica
// does not believe the store meanwhile. Another install's data are left alone.
func (s *Store) applyJournal(ctx context.Context) {
	if _, err := s.Install(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
		s.watch.again.Store(true)
		return
	}
	spent, unspent := s.spendAgain(ctx) // first: they are quick, and an assertion is of use to a thief only for minutes
	entries := s.journal.recent()
	failed := 0
	for _, e := range entries {
		if err := e.again(ctx, s); err != nil {
			failed++
			continue
		}
		s.watch.reapplied.Add(1)
	}
	s.watch.again.Store(failed > 0 || unspent != nil)
	if spent > 0 {
		s.log.Warn("client assertions that were used lately were marked again", slog.Int("assertions", spent), slog.Any("error", unspent))
	}
	if len(entries) > 0 {
		s.log.Warn("what was revoked lately was revoked again", slog.Int("revocations", len(entries)-failed), slog.Int("failed", failed))
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
	stats := Stats{MasterChanges: s.watch.changes.Load(), Reapplied: s.watch.reapplied.Load(), LateCommands: s.late.Load(), BreakersOpen: s.servers.open(), HintAge: s.pings.age()}
	stats.Sessions, stats.Sweeps = s.sweeper.sessions()
	if s.servers.single != nil {
		stats.Pool = *s.servers.single.PoolStats()
	} else {
		stats.Pool = *s.servers.cluster.PoolStats()
	}
	return stats
}
