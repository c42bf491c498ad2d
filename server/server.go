package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/account"
	"signet/server/accountpage"
	"signet/server/admin"
	"signet/server/audit"
	"signet/server/authorize"
	"signet/server/backchannel"
	"signet/server/browser"
	"signet/server/clientauth"
	"signet/server/connlimit"
	"signet/server/discovery"
	"signet/server/edge"
	"signet/server/logout"
	"signet/server/metrics"
	"signet/server/oauth"
	"signet/server/page"
	"signet/server/password"
	"signet/server/replica"
	"signet/server/signin"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/server/token"
	"signet/server/upstream"
	"signet/store"
)

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
	names         *account.NameChecker
	wraps         *account.Wrapper
	signIn        *signin.Engine
	browsers      *browser.Sessions
	authorize     *authorize.Handler
	oauth         *oauth.Handler
	account       *accountpage.Handler
	logout        *logout.Handler
	backChannel   *backchannel.Sender
	reloadsFailed prometheus.Counter
	discovery     *discovery.Handler
	replica       *replica.Replica
	audit         *audit.Recorder
	keyEvents     keyEvents
	applied       atomic.Pointer[Settings]
	ownPages      *page.Renderer // where Settings has none
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
	sealKeys, throttleKeys, auditKeys := cfg.RefreshKeys, cfg.ThrottleKeys, cfg.AuditKeys
	cfg.RefreshKeys, cfg.ThrottleKeys, cfg.AuditKeys = nil, nil, nil // s is not to show them when it is printed
	id := edge.RandomText(6)
	s := &Server{cfg: cfg, store: cfg.Store, log: cfg.Log, now: cfg.Now, started: cfg.Now(),
		throttle: throttle.New(throttleKeys, cfg.Keys.MasterKeyInUse),
		reloadsFailed: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_config_reloads_failed_total",
			Help: "Configurations that were read again on SIGHUP and could not be used."}),
	}
	cfg.Registry.MustRegister(s.reloadsFailed)
	metrics.RegisterPool(cfg.Registry, cfg.Passwords)
	s.hashes = account.NewSampler(cfg.Store, cfg.Passwords, cfg.Log)
	s.names = account.NewNameChecker(cfg.Store, cfg.Log)
	s.wraps = account.NewWrapper(cfg.Store, cfg.Passwords, cfg.Log)
	metrics.RegisterNames(cfg.Registry, s.names.Collisions)
	if s.ownPages, err = page.New(page.Config{Issuer: cfg.Issuer}); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.Apply(cfg.Settings)
	s.audit = audit.New(audit.Config{Store: cfg.Store, Log: cfg.Log, Now: cfg.Now, Keys: auditKeys, Install: cfg.InstallID, Replica: id,
		Registry: cfg.Registry, ShowNames: func() bool { return s.settings().LogUsernames }})
	s.floors = clientauth.NewFloors(cfg.Keys, cfg.Store, cfg.Log)
	s.clients = clientauth.NewCache(cfg.Store, cfg.Now, cfg.ClientMaxAge, s.floors.Check)
	s.authenticator = clientauth.New(clientauth.Config{Issuer: cfg.Issuer, Store: cfg.Store, Cache: s.clients, Throttle: s.throttle,
		Limits: func() throttle.Config { return s.settings().Throttle }, Audit: s.audit, Log: cfg.Log,
		DefaultClient: func() string { return s.settings().DefaultClient }, ClockSkew: func() time.Duration { return cfg.Keys.Timetable().Skew }})
	s.issuer = token.NewIssuer(token.IssuerConfig{Issuer: cfg.Issuer, Keys: cfg.Keys, Now: cfg.Now, MaxLife: cfg.MaxTokenLife,
		Life: func() time.Duration { return s.settings().AccessTokenTTL }})
	s.checker = token.NewChecker(token.CheckerConfig{Issuer: cfg.Issuer, Keys: cfg.Keys, Store: cfg.Store, Clients: s.clients, Now: cfg.Now,
		Lifetimes: func() store.Lifetimes { return s.settings().Lifetimes }, Log: cfg.Log, Registry: cfg.Registry})
	s.watchSeals(cfg.Registry)
	s.edge = edge.New(edge.Config{Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry, Trace: cfg.Trace,
		TrustedProxies: func() []netip.Prefix { return s.settings().TrustedProxies }, CheckClock: func() error { return cfg.Keys.Clock().Check() },
		OriginListed: s.clients.Listed, Dependency: dependencyOf})
	s.replica = replica.New(replica.Config{ID: id, Issuer: cfg.Issuer, Timetable: cfg.Timetable, Keys: cfg.Keys, Store: cfg.Store, Now: cfg.Now, Log: cfg.Log,
		Registry: cfg.Registry, AfterBeat: s.raiseFloors})
	s.discovery = discovery.New(discovery.Config{Issuer: cfg.Issuer, GrantTypes: syntax.GrantTypes, Keys: cfg.Keys, Ping: cfg.Store.Ping,
		Scopes: account.StandardScopes(), Claims: account.StandardClaimNames(), ACRs: []string{signin.ACRPassword}, Serves: s.serves,
		BackChannelLogout: cfg.BackChannel.HTTP != nil,
		Draining:          s.edge.Draining, HashingFellBack: cfg.Passwords.FellBack, NamesCollide: func() bool { return s.names.Collisions() > 0 },
		StaleIfError: cfg.StaleIfError, Log: cfg.Log})
	asked := upstream.New(upstream.Config{Settings: cfg.Upstream, Store: cfg.Store, Passwords: cfg.Passwords, Audit: s.audit, Log: cfg.Log, Now: cfg.Now,
		Registry: cfg.Registry})
	s.signIn = signin.New(signin.Config{Store: cfg.Store, Passwords: cfg.Passwords, Upstream: asked, Hashes: s.hashes, Clients: s.clients,
		Throttle: s.throttle, Audit: s.audit, Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry,
		Settings: func() *signin.Settings { return &s.settings().Settings.Settings }})
	s.backChannel = backchannel.New(backchannel.Config{Settings: cfg.BackChannel, Store: cfg.Store, Tokens: s.issuer,
		Clock: func() error { return cfg.Keys.Clock().Check() }, Audit: s.audit, Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry})
	s.oauth = oauth.New(oauth.Config{Issuer: cfg.Issuer, Store: cfg.Store, Keys: cfg.Keys, SignIn: s.signIn,
		Clients: s.clients, Tokens: s.issuer, Checker: s.checker, Sealer: sealer,
		Audit: s.audit, Log: cfg.Log, Now: cfg.Now, Registry: cfg.Registry,
		MaxTokenLife: cfg.MaxTokenLife, Settings: func() *oauth.Settings { return &s.settings().Settings }, Dependency: dependencyOf,
		Foreign: metrics.NewKeyring(cfg.Registry, cfg.Keys, cfg.Now).CountForeign})
	if err := s.newPages(sealKeys, sealer); err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	s.table = s.routes()
	s.admin = newAdmin(s, throttleKeys)
	return s, nil
}

// newPages sets what browsers sign in and out with, and the page of a user's own account.
func (s *Server) newPages(sealKeys [][32]byte, sealer *token.Sealer) (err error) {
	cfg := &s.cfg
	if s.browsers, err = browser.New(browser.Config{Issuer: cfg.Issuer, Keys: sealKeys, InUse: cfg.Keys.MasterKeyInUse, Store: cfg.Store, Now: cfg.Now,
		Clients: s.clients, Ended: s.checker.SessionEnded}); err != nil {
		return err
	}
	if s.authorize, err = authorize.New(authorize.Config{Issuer: cfg.Issuer, Keys: sealKeys, InUse: cfg.Keys.MasterKeyInUse, Clients: s.clients, Store: cfg.Store,
		SignIn: s.signIn, Browsers: s.browsers, Sealer: sealer, Hint: s.checker.Hint, Pages: func() *page.Renderer { return s.settings().Page }, Now: cfg.Now,
		Skew: func() time.Duration { return cfg.Keys.Timetable().Skew }, Settle: s.oauth.CheckAuthorization}); err != nil {
		return err
	}
	s.account, err = accountpage.New(accountpage.Config{Issuer: cfg.Issuer, Keys: sealKeys, InUse: cfg.Keys.MasterKeyInUse, Store: cfg.Store,
		Passwords: cfg.Passwords, Policy: func() password.Policy { return s.settings().Policy },
		Lifetimes: func() store.Lifetimes { return s.settings().Lifetimes }, Clients: s.clients, Checker: s.checker, SignIn: s.signIn,
		Browsers: s.browsers, Audit: s.audit, Pages: func() *page.Renderer { return s.settings().Page }, Now: cfg.Now})
	if err != nil {
		return err
	}
	s.logout, err = logout.New(logout.Config{Issuer: cfg.Issuer, Keys: sealKeys, InUse: cfg.Keys.MasterKeyInUse, Store: cfg.Store, Clients: s.clients,
		Checker: s.checker, Browsers: s.browsers, Audit: s.audit, Pages: func() *page.Renderer { return s.settings().Page }, Now: cfg.Now,
		StayPath: accountpage.Path})
	return err
}

// Apply puts new settings in force. A request that is under way may see some of the old ones.
func (s *Server) Apply(set Settings) {
	set = set.withDefaults(s.cfg.Issuer)
	setDefault(&set.Page, s.ownPages)
	s.applied.Store(&set)
}

// settings returns those in force. They must not be changed.
func (s *Server) settings() *Settings { return s.applied.Load() }

// ReloadFailed counts a configuration that was read again and could not be used.
func (s *Server) ReloadFailed() { s.reloadsFailed.Inc() }

// Drain makes /readyz answer 503 from now on, so that load balancers stop sending, and every response close
// its connection.
func (s *Server) Drain() { s.edge.Drain() }

// Close writes what is left of the audit trail. It does not close the store.
func (s *Server) Close() {
	s.summarise()
	s.audit.Close()
}

// Connections returns the limits of the listener that metrics call name.
func (s *Server) Connections(name string, limits connlimit.Limits) *connlimit.Limiter {
	return connlimit.New(connlimit.Config{Name: name, Limits: limits, Light: s.isLight, Log: s.log, Registry: s.cfg.Registry,
		Exempt: func(a netip.Addr) bool { return a.IsLoopback() || s.edge.TrustedProxy(a) }})
}
