package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/logout"
	"signet/store/redis/record"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
	"signet/store/redis/throttle"
	"signet/store/redis/trail"
	"signet/store/redis/transfer"
	"signet/store/seal"
)

// Schema is the newest format that this package reads, and the one of new stores. A store keeps the
// format that it has; see Format.
const Schema = store.Format2

// Config has the addresses of Redis, the credentials and the limits. Addrs is required.
type Config struct {
	Mode   conn.Mode // zero means conn.Standalone
	Addrs  []string  // host:port: the server, the Sentinels, or some nodes of the cluster
	Master string    // Sentinel's name for the master
	DB     int       // not in a cluster

	TLS      *tls.Config // nil: no TLS
	Username string      // ACL user; empty: the default user
	Password func() (string, error)
	// Of the Sentinels themselves. Password functions are asked at each new connection, so that a
	// password can be changed while the server runs; nil means none.
	SentinelUsername string
	SentinelPassword func() (string, error)

	Prefix       string          // of every key; empty means "signet"
	PoolSize     int             // connections to each server; 0: ten for each core
	WaitReplicas int             // how many replicas must confirm what must not be lost, where there are any; 0: none
	AuditEvents  int             // audit events kept in all, divided by store.ShareRetention; 0: store.DefaultRetention
	Retention    store.Retention // of audit events, where a class has its own
	ReplicaPoll  time.Duration   // how often the servers are looked at for a change of master; 0 means 2 s
	Timeout      time.Duration   // the longest that one round trip may take; 0 means 250 ms
	MaxLogouts   int             // how many logouts wait at most; 0: store.MaxLogouts
	Seals        *seal.Keys      // of the records; nil: they have none, and what a record is sealed with is not understood
	Log          *slog.Logger    // nil discards
	// Observe is called for every round trip; nil: for none.
	Observe func(ctx context.Context, doing string, took time.Duration, err error)

	callersTime bool // decides about sessions instead of the server's, in tests
}

// Store is a store.Store in Redis. All methods may be called concurrently. Its parts implement the interfaces of package store.
type Store struct {
	*record.Queries
	*transfer.Transfer
	*trail.Trail
	*throttle.Throttle
	*replica.Heartbeats
	*logout.Queue
	*sweeper
	*masters

	cfg  Config
	deps record.Deps

	stop    context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

func newStore(cfg Config, cn *conn.Conn, m *masters) *Store {
	d := record.Deps{Conn: cn, Key: layout.Keyspace(cfg.Prefix), Codec: &layout.Codec{Seals: cfg.Seals}, Clock: script.Clock{Callers: cfg.callersTime},
		Revocations: revocation.NewLog()}
	d.Codec.SetFormat(Schema)
	d.Throttle = throttle.New(cn, d.Key)
	d.Logouts = logout.New(cn, d.Key, d.Clock, cfg.MaxLogouts)
	d.Trail = trail.New(cn, d.Key, cfg.Retention, d.Clock, d.Logouts, cfg.Log)
	d.Channel = replica.NewChannel(cn, d.Key, d.Codec, d.Revocations, cfg.Log)
	queries := record.New(d)
	m.Deps, m.queries = d, queries
	return &Store{Queries: queries, Transfer: transfer.New(d, queries), Trail: d.Trail, Throttle: d.Throttle,
		Heartbeats: replica.NewHeartbeats(cn, d.Key, d.Codec), Queue: d.Logouts, sweeper: newSweeper(d), masters: m, cfg: cfg, deps: d}
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Exporter = (*Store)(nil)
	_ store.Importer = (*Store)(nil)
	_ store.Sealer   = (*Store)(nil)
	_ store.Clocked  = (*Store)(nil)
)

// Open connects and looks for an install. Where there is none the store is empty and good for
// CreateInstall or Import. The error wraps store.ErrSchema where a newer Signet wrote the data, and
// store.ErrUnavailable where Redis cannot be reached or refuses us.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	m := newMasters(cfg.Log, cfg.ReplicaPoll)
	cn, err := conn.New(cfg.transport(layout.Keyspace(cfg.Prefix).Barrier, m.checkSoon))
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, cn, m)
	if err := s.begin(ctx); err != nil {
		s.deps.Conn.Close()
		return nil, err
	}
	loops, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.watch(loops) })
	s.running.Go(func() { s.watchClients(loops) })
	s.running.Go(func() { s.deps.Channel.Listen(loops) })
	s.running.Go(func() { s.deps.Channel.Ping(loops) })
	return s, nil
}

func (cfg Config) withDefaults() Config {
	if cfg.Mode == "" {
		cfg.Mode = conn.Standalone
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "signet"
	}
	cfg.Retention = store.ShareRetention(cfg.AuditEvents, cfg.Retention)
	if cfg.MaxLogouts <= 0 {
		cfg.MaxLogouts = store.MaxLogouts
	}
	if cfg.ReplicaPoll <= 0 {
		cfg.ReplicaPoll = 2 * time.Second
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 250 * time.Millisecond
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(context.Context, string, time.Duration, error) {}
	}
	return cfg
}

// transport is the part of the configuration that is about the connections.
func (cfg Config) transport(barrier func(string) string, connected func()) conn.Config {
	return conn.Config{
		Mode: cfg.Mode, Addrs: cfg.Addrs, Master: cfg.Master, DB: cfg.DB, TLS: cfg.TLS, Username: cfg.Username, Password: cfg.Password,
		SentinelUsername: cfg.SentinelUsername, SentinelPassword: cfg.SentinelPassword,
		PoolSize: cfg.PoolSize, WaitReplicas: cfg.WaitReplicas, Reload: cfg.ReplicaPoll, Timeout: cfg.Timeout,
		Barrier: barrier, Connected: connected, Observe: cfg.Observe,
	}
}

// begin reads what is there, before the store is used.
func (s *Store) begin(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return conn.Unavailable("connecting", err)
	}
	in, err := s.Install(ctx)
	if err == nil || errors.Is(err, store.ErrNotFound) {
		s.loadInformed(ctx)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case in.Schema > Schema:
		return fmt.Errorf("the data under %q have schema %d, newest known is %d: %w", s.cfg.Prefix, in.Schema, Schema, store.ErrSchema)
	}
	return nil
}

// loadInformed reads the clients that are informed of logouts. Until it has succeeded once all count as informed, and the sender leaves
// out the others.
func (s *Store) loadInformed(ctx context.Context) {
	if err := s.LoadInformed(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.Debug("reading the clients that are informed of logouts", slog.Any("error", err))
	}
}

// watchClients keeps the clients that are informed of logouts up to date.
func (s *Store) watchClients(ctx context.Context) {
	ticker := time.NewTicker(s.cfg.ReplicaPoll)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.loadInformed(ctx)
		}
	}
}

// Ping implements store.Store. In a cluster the last look at the masters was about the other servers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.Probe(ctx); err != nil {
		return err
	}
	if err := s.lastError(); err != nil {
		return conn.Unavailable("looking at the servers", err)
	}
	return nil
}

// Subscribe implements store.ChangeEvents.
func (s *Store) Subscribe(ctx context.Context, on func(store.ChangeEvent)) {
	s.deps.Channel.Subscribe(ctx, on)
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.deps.Conn.Close()
		s.running.Wait()
	})
	return nil
}

// Stats are counts for the operator.
type Stats struct {
	MasterChanges uint64        // masters that took over or were restarted while this process ran
	Reapplied     uint64        // revocations that were done again because of that
	LateCommands  uint64        // replies that a command had come after its deadline, and had changed nothing
	Sessions      int           // that were alive when the sweep had last gone through all of them
	Sweeps        bool          // this process sweeps and has gone through all once; else Sessions is 0
	BreakersOpen  int           // servers whose breaker fails calls at once at this moment
	HintAge       time.Duration // since the last message that this replica has sent to itself arrived
	Pool          redis.PoolStats
}

// Stats returns the counts of this moment.
func (s *Store) Stats() Stats {
	transport := s.deps.Conn.Stats()
	stats := Stats{MasterChanges: s.changes.Load(), Reapplied: s.reapplied.Load(), LateCommands: transport.LateCommands,
		BreakersOpen: transport.BreakersOpen, HintAge: s.deps.Channel.Age(), Pool: transport.Pool}
	stats.Sessions, stats.Sweeps = s.sessions()
	return stats
}
