package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
	"signet/store/redis/throttle"
	"signet/store/redis/trail"
	"signet/store/seal"
)

// Schema is the newest format that this package reads, and the one of new stores. A store keeps the
// format that it has; see Format.
const Schema = store.Format2

// Config says where the Redis is and how to speak to it. Addrs is required.
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
	Seals        *seal.Keys      // of the records; nil: they have none, and what a record is sealed with is not understood
	Log          *slog.Logger    // nil discards
	// Observe, which may be nil, is told of every round trip.
	Observe func(doing string, took time.Duration, err error)

	callersTime bool // decides about sessions instead of the server's, in tests
}

// Store is a store.Store in Redis. All methods may be called concurrently. Its parts have the queries, one part for each kind
// of record.
type Store struct {
	*common
	*trail.Trail
	*throttle.Throttle
	*installs
	*users
	*clients
	*sessions
	*assertions
	*replica.Heartbeats

	watch   *watcher
	sweeper sweeper

	stop    context.CancelFunc
	running sync.WaitGroup
	closing sync.Once
}

// common is what all parts of a Store use.
type common struct {
	cfg  Config
	key  layout.Keyspace
	conn *conn.Conn
	log  *slog.Logger

	records     *layout.Codec
	revocations *revocation.Log
	channel     *replica.Channel
	trail       *trail.Trail
	clock       script.Clock
}

func newStore(cfg Config, cn *conn.Conn, watch *watcher) *Store {
	c := &common{cfg: cfg, key: layout.Keyspace(cfg.Prefix), conn: cn, log: cfg.Log, records: &layout.Codec{Seals: cfg.Seals}, revocations: revocation.NewLog()}
	c.records.SetFormat(Schema)
	c.channel = replica.NewChannel(cn, c.key, c.records, c.revocations, cfg.Log)
	c.clock = script.Clock{Callers: cfg.callersTime}
	c.trail = trail.New(cn, c.key, cfg.Retention, c.clock, cfg.Log)
	return &Store{common: c, Trail: c.trail, Throttle: throttle.New(cn, c.key), Heartbeats: replica.NewHeartbeats(cn, c.key, c.records),
		installs: &installs{common: c}, users: &users{&names{c}}, clients: &clients{c}, sessions: &sessions{c}, assertions: newAssertions(c), watch: watch}
}

var (
	_ store.Store    = (*Store)(nil)
	_ store.Exporter = (*Store)(nil)
	_ store.Importer = (*Store)(nil)
)

// Open connects and looks for an install. Where there is none the store is empty and good for
// CreateInstall or Import. The error wraps store.ErrSchema where a newer Signet wrote the data, and
// store.ErrUnavailable where Redis cannot be reached or refuses us.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	watch := newWatcher()
	cn, err := conn.New(cfg.transport(layout.Keyspace(cfg.Prefix).Barrier, watch.checkSoon))
	if err != nil {
		return nil, err
	}
	s := newStore(cfg, cn, watch)
	if err := s.begin(ctx); err != nil {
		s.conn.Close()
		return nil, err
	}
	loops, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.watchMasters(loops) })
	s.running.Go(func() { s.channel.Listen(loops) })
	s.running.Go(func() { s.channel.Ping(loops) })
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
		cfg.Observe = func(string, time.Duration, error) {}
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

// begin learns what is there before the store is used.
func (s *Store) begin(ctx context.Context) error {
	if err := s.checkMasters(ctx); err != nil {
		return conn.Unavailable("connecting", err)
	}
	in, err := s.Install(ctx)
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

// Format implements store.Sealer.
func (s *Store) Format() int { return s.records.Format() }

// Subscribe implements store.ChangeEvents.
func (s *Store) Subscribe(ctx context.Context, on func(store.ChangeEvent)) {
	s.channel.Subscribe(ctx, on)
}

// Close implements store.Store.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.stop()
		s.conn.Close()
		s.running.Wait()
	})
	return nil
}

// installs has the install and its keyring.
type installs struct {
	*common
	install atomic.Pointer[installRecord] // nil: none is known
}

// installRecord is the install as it lies in Redis, byte for byte, and what it says.
type installRecord struct {
	raw string
	store.Install
}

// follows reports whether later is this record with a higher schema, or the same one, sealed anew.
func (in *installRecord) follows(later *installRecord) bool {
	was := in.Install
	was.Schema = later.Schema
	return later.Schema >= in.Schema && was == later.Install
}

// know compares the install that is in Redis at this moment with the one that this Store began
// with. Its format may have been raised meanwhile, and is then that of this Store too. Data of another install are not touched
// from then on: the address leads elsewhere, or another install has taken the place of this one.
func (s *installs) know(raw string) error {
	in, err := s.records.DecodeInstall(raw)
	if err != nil {
		return conn.Malformed("the install", err)
	}
	found := &installRecord{raw, in}
	if s.install.CompareAndSwap(nil, found) {
		s.records.SetFormat(min(found.Schema, Schema))
		return nil
	}
	known := s.install.Load()
	if known.raw != raw && known.follows(found) && found.Schema <= Schema && s.install.CompareAndSwap(known, found) {
		s.records.SetFormat(found.Schema)
		known = found
	}
	if known.raw != raw {
		s.conn.Refuse(errForeign)
		return fmt.Errorf("%w: Redis holds install %s under %q now and this server belongs to %s", store.ErrUnavailable, found.ID, s.cfg.Prefix, known.ID)
	}
	s.conn.Refuse(nil)
	return nil
}
