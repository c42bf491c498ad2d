package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/account"
	"signet/server/admin"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/connlimit"
	"signet/server/discovery"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/server/password"
	"signet/server/replica"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/server/token"
	"signet/store"
	"signet/store/seal"
)

// Config configures a Server. Issuer, Store, Keys, Passwords, RefreshKeys and ThrottleKeys are required.
type Config struct {
	Issuer    string // absolute URL without a trailing slash; every URL and iss is built from it
	Version   string // of the program, for the admin listener's status
	Store     store.Store
	Seals     *seal.Keys // of the store's records; nil: they have none
	Keys      *keys.Manager
	Passwords *password.Pool

	RefreshKeys  [][32]byte // of the master keys that Keys has, in their order; that of the one in use seals refresh tokens
	ThrottleKeys [][32]byte // likewise; they hide names and addresses in throttle keys
	AuditKeys    [][32]byte // of the master keys, as RefreshKeys: the first signs the audit lines of the log; none: they are not signed
	InstallID    string     // is signed with them

	Timetable    string        // of the signing keys, as heartbeats tell it: settings and values, separated by spaces
	MaxTokenLife time.Duration // no access token lives longer (the timetable's T); 0: 1 hour
	ClientMaxAge time.Duration // how long a change of a client made through another replica may go unseen; 0: 10 seconds
	StaleIfError time.Duration // how long caches may serve the key set while they cannot reach us; 0: not at all

	Settings // what Apply can change later

	Log      *slog.Logger         // nil discards
	Now      func() time.Time     // nil means time.Now
	Registry *prometheus.Registry // nil: a registry of its own
}

// Settings are the part of Config that can change while the server runs; see Apply.
type Settings struct {
	oauth.Settings
	DefaultClient  string          // a public client for requests that name none; empty: refuse them
	AccessTokenTTL time.Duration   // of clients without their own; 0: 5 minutes
	Policy         password.Policy // what a new password must be
	LogUsernames   bool            // record the username of every failed login as it was typed, also of nobody
	TrustedProxies []netip.Prefix  // whose X-Forwarded-For counts, for throttling and the audit trail only
}

// Server answers the public listener (it is an http.Handler) and, by Admin, the operator's.
type Server struct {
	cfg           Config
	store         store.Store
	log           *slog.Logger
	now           func() time.Time
	edge          *edge.Server
	table         map[string]*edge.Route
	admin         *admin.Admin
	issuer        *token.Issuer
	checker       *token.Checker
	clients       *clientauth.Cache
	floors        *clientauth.Floors
	authenticator *clientauth.Authenticator
	throttle      *throttle.Throttle
	hashes        *account.Sampler
	oauth         *oauth.Handler
	metrics       *counters
	discovery     *discovery.Handler
	replica       *replica.Replica
	audit         *audit.Recorder
	keyEvents     keyEvents
	applied       atomic.Pointer[Settings]
	started       time.Time
}

// New returns a Server that is ready to answer. Close it when no request is in flight any more.
func New(cfg Config) (*Server, error) {
	if cfg.Store == nil || cfg.Keys == nil || cfg.Passwords == nil || cfg.Issuer == "" || len(cfg.ThrottleKeys) == 0 {
		return nil, errors.New("server: Issuer, Store, Keys, Passwords and ThrottleKeys are required")
	}
	cfg = cfg.withDefaults()
	sealer, err := token.NewSealer(cfg.RefreshKeys, cfg.Keys.MasterKeyInUse)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	throttleKeys, auditKeys := cfg.ThrottleKeys, cfg.AuditKeys
	cfg.RefreshKeys, cfg.ThrottleKeys, cfg.AuditKeys = nil, nil, nil // s is not to show them when it is printed
	id := edge.RandomText(6)
	s := &Server{cfg: cfg, store: cfg.Store, log: cfg.Log, now: cfg.Now, started: cfg.Now(),
		throttle: throttle.New(throttleKeys, cfg.Keys.MasterKeyInUse),
		metrics:  newCounters(cfg.Registry, cfg.Keys, cfg.Passwords, cfg.Now),
	}
	s.hashes = account.NewSampler(cfg.Store, cfg.Passwords, cfg.Log)
	s.Apply(cfg.Settings)
	s.audit = audit.New(audit.Config{Store: cfg.Store, Log: cfg.Log, Now: cfg.Now, Keys: auditKeys, Install: cfg.InstallID, Replica: id,
		Lost: func(n int) { s.metrics.auditLost.Add(float64(n)) }, Withheld: s.metrics.withheld.Inc, ShowNames: func() bool { return s.settings().LogUsernames }})
	s.floors = clientauth.NewFloors(cfg.Keys, cfg.Store, cfg.Log)
	s.clients = clientauth.NewCache(cfg.Store, cfg.Now, cfg.ClientMaxAge, s.floors.Check)
	s.authenticator = clientauth.New(clientauth.Config{Issuer: cfg.Issuer, Store: cfg.Store, Cache: s.clients, Throttle: s.throttle,
		Limits: func() throttle.Config { return s.settings().Throttle }, Audit: s.audit, Log: cfg.Log,
		DefaultClient: func() string { return s.settings().DefaultClient }, ClockSkew: func() time.Duration { return cfg.Keys.Timetable().Skew }})
	s.issuer = token.NewIssuer(token.IssuerConfig{Issuer: cfg.Issuer, Keys: cfg.Keys, Now: cfg.Now, MaxLife: cfg.MaxTokenLife,
		Life: func() time.Duration { return s.settings().AccessTokenTTL }})
	s.checker = token.NewChecker(token.CheckerConfig{Issuer: cfg.Issuer, Keys: cfg.Keys, Store: cfg.Store, Clients: s.clients, Now: cfg.Now,
		Lifetimes: func() store.Lifetimes { return s.settings().Lifetimes }, Unreadable: s.noteUnreadable})
	s.watchSeals(cfg.Registry)
	s.edge = edge.New(edge.Config{Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry,
		TrustedProxies: func() []netip.Prefix { return s.settings().TrustedProxies }, CheckClock: func() error { return cfg.Keys.Clock().Check() },
		OriginListed: s.clients.Listed, Dependency: dependencyOf})
	s.replica = replica.New(replica.Config{ID: id, Issuer: cfg.Issuer, Timetable: cfg.Timetable, Keys: cfg.Keys, Store: cfg.Store, Now: cfg.Now, Log: cfg.Log,
		Registry: cfg.Registry, AfterBeat: s.raiseFloors})
	s.discovery = discovery.New(discovery.Config{Issuer: cfg.Issuer, GrantTypes: syntax.GrantTypes, Keys: cfg.Keys, Ping: cfg.Store.Ping, Draining: s.edge.Draining,
		StaleIfError: cfg.StaleIfError, Log: cfg.Log})
	s.oauth = oauth.New(oauth.Config{Issuer: cfg.Issuer, Store: cfg.Store, Keys: cfg.Keys, Passwords: cfg.Passwords, Hashes: s.hashes, Clients: s.clients,
		Throttle: s.throttle, Tokens: s.issuer, Checker: s.checker, Sealer: sealer, Audit: s.audit, Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry,
		MaxTokenLife: cfg.MaxTokenLife, Settings: func() *oauth.Settings { return &s.settings().Settings }, Dependency: dependencyOf,
		Foreign: s.metrics.keyring.CountForeign})
	s.table = s.routes()
	s.admin = newAdmin(s)
	return s, nil
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.MaxTokenLife, time.Hour)
	setDefault(&cfg.ClientMaxAge, 10*time.Second)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	return cfg
}

// Apply puts new settings in force. A request that is under way may see some of the old ones.
func (s *Server) Apply(set Settings) {
	setDefault(&set.AccessTokenTTL, 5*time.Minute)
	setDefault(&set.Lifetimes.Idle, 30*24*time.Hour)
	setDefault(&set.Lifetimes.Absolute, 90*24*time.Hour)
	setDefault(&set.MaxReplays, 1000)
	setDefault(&set.SessionsPerUser, 100)
	if len(set.Audience) == 0 {
		set.Audience = []string{s.cfg.Issuer}
	}
	s.applied.Store(&set)
}

// noteUnreadable is for a token that was signed here and cannot be read.
func (s *Server) noteUnreadable(ctx context.Context) {
	s.metrics.unreadable.Inc()
	s.log.ErrorContext(ctx, "an access token that was signed here cannot be read, and counts as inactive; report this with the claims that its client is given")
}

// settings are those in force; nobody changes what it points to.
func (s *Server) settings() *Settings { return s.applied.Load() }

// ReloadFailed counts a configuration that was read again and could not be used.
func (s *Server) ReloadFailed() { s.metrics.reloadsFailed.Inc() }

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Drain makes /readyz answer 503 from now on, so that load balancers stop sending, and every response close
// its connection.
func (s *Server) Drain() { s.edge.Drain() }

// Close writes what is left of the audit trail. It does not close the store.
func (s *Server) Close() {
	s.summarise()
	s.audit.Close()
}

const summariseEvery = time.Second // how often the log gets what is due of counts

const sweepEvery = time.Minute // how often a little of what has run out is deleted

// Run does the server's housekeeping until ctx ends.
func (s *Server) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { s.store.Subscribe(ctx, s.hinted) })
	watching.Go(func() { s.hashes.Run(ctx) })
	watching.Go(func() { s.summariseUntil(ctx) })
	watching.Go(func() { s.replica.Run(ctx) })
	sweep, clients := time.NewTicker(sweepEvery), time.NewTicker(s.cfg.ClientMaxAge*4/5)
	defer sweep.Stop()
	defer clients.Stop()
	s.oauth.WarnPinned(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-clients.C:
			if err := s.clients.Check(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("asking whether clients have changed", slog.Any("error", err))
			}
		case <-sweep.C:
			if s.cfg.Keys.Clock().Check() != nil {
				continue // it would delete what has not run out
			}
			if _, err := s.store.Sweep(ctx, s.now(), s.settings().Lifetimes); err != nil && ctx.Err() == nil {
				s.log.Warn("sweeping what has run out", slog.Any("error", err))
			}
		}
	}
}

// raiseFloors does what could not be done when a client was changed.
func (s *Server) raiseFloors(ctx context.Context) {
	if err := s.floors.RaiseAll(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("noting the revisions of clients", slog.Any("error", err))
	}
}

// summariseUntil has its own loop: a store that hangs must not keep the outage out of the log.
func (s *Server) summariseUntil(ctx context.Context) {
	tick := time.NewTicker(summariseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.summarise()
		}
	}
}

// summarise writes what is due of outages, and of lines and events that were only counted.
func (s *Server) summarise() {
	s.edge.Summarise()
	s.audit.Tick()
}

// hinted takes another replica's word that something has changed.
func (s *Server) hinted(h store.ChangeEvent) {
	switch h.Kind {
	case store.ClientChanged:
		s.clients.Drop(h.ID)
	case store.KeyringChanged:
		s.cfg.Keys.Poll()
	}
}

// Connections returns the limits of the listener that metrics call name.
func (s *Server) Connections(name string, limits connlimit.Limits) *connlimit.Limiter {
	return connlimit.New(connlimit.Config{Name: name, Limits: limits, Light: s.isLight, Log: s.log, Registry: s.cfg.Registry,
		Exempt: func(a netip.Addr) bool { return a.IsLoopback() || s.edge.TrustedProxy(a) }})
}
