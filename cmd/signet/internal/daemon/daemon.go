package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/cmd/signet/internal/install"
	"signet/cmd/signet/internal/storemetrics"
	"signet/cmd/signet/internal/tracing"
	"signet/config"
	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/pkcs11"
	"signet/keys/privatekey"
	"signet/server"
	"signet/server/oauth"
	"signet/server/password"
	"signet/server/password/breached"
	"signet/server/password/hash"
	"signet/server/password/worker"
	"signet/server/signin"
	"signet/server/throttle"
	"signet/store"
	"signet/store/bolt"
	"signet/store/seal"
)

// Daemon is a server with everything it needs, built from a configuration.
type Daemon struct {
	cfg     config.Config
	version string
	now     func() time.Time // nil: the machine's clock

	overrides func() []config.Override // returns the settings of the file that a variable overrides

	log    *slog.Logger
	level  *slog.LevelVar
	store  store.Store
	hsm    pkcs11.Token // nil: signing keys are local
	seals  *seal.Keys   // of the store's records
	keys   *keys.Manager
	server *server.Server
	spare  []byte // of spareHeap, for as long as the server lives

	passwords *password.Pool
	pepper    []byte          // of imported hashes
	worker    *worker.Process // of passwords; nil: it hashes itself
	registry  *prometheus.Registry
}

// Options are the arguments of Open.
type Options struct {
	Config  config.Config
	Master  []masterkey.Key     // the first one is in use
	Version string              // of the program
	Getenv  func(string) string // has the secrets of Redis and the HSM
	Now     func() time.Time    // nil: the machine's clock
	Log     *slog.Logger
	Level   *slog.LevelVar // of log; reload sets it
	Traces  *tracing.Tracing

	IsProgram bool // the program can be started again, as the process that hashes passwords
}

// Open puts a server together: store, HSM, keyring and server. It changes nothing in a store without an install, with
// another master key, or with a newer schema.
func Open(ctx context.Context, opt Options) (*Daemon, error) {
	cfg, master, log := opt.Config, opt.Master, opt.Log
	srv := &Daemon{cfg: cfg, version: opt.Version, now: opt.Now, log: log, level: opt.Level, spare: spareHeap(), registry: prometheus.NewRegistry(),
		worker: newWorker(cfg.Password.Process, opt.IsProgram, log)}
	srv.seals = install.NewSeals(master)
	o := install.Opener{Getenv: opt.Getenv, Log: log, Seals: srv.seals, Master: master}
	o.Warn = func(warning error) { log.Warn("something can be lost", slog.Any("warning", warning)) }
	if _, embedded := cfg.BoltPath(); !embedded {
		counts := storemetrics.NewRoundTrips(srv.registry)
		o.Observe = func(ctx context.Context, doing string, took time.Duration, err error) {
			counts.Observe(doing, took, err)
			opt.Traces.RoundTrip(ctx, doing, took, err)
		}
	}
	var err error
	if srv.pepper, err = install.PasswordPepper(cfg, opt.Getenv); err != nil {
		srv.closeWorker()
		return nil, err
	}
	if srv.store, err = o.Open(ctx, cfg); err != nil {
		srv.closeWorker()
		return nil, err
	}
	storemetrics.Register(srv.registry, srv.store)
	if err := srv.startHSM(ctx, opt.Getenv); err != nil {
		srv.closeWorker()
		srv.store.Close()
		return nil, err
	}
	if err := srv.build(ctx, master, opt.Getenv, opt.Traces); err != nil {
		srv.closeWorker()
		srv.closeHSM()
		srv.store.Close()
		return nil, err
	}
	return srv, nil
}

func (srv *Daemon) build(ctx context.Context, master []masterkey.Key, getenv func(string) string, traces *tracing.Tracing) error {
	record, err := srv.store.Install(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return install.ExplainNoInstall(ctx, srv.store, srv.cfg)
	}
	if err != nil {
		return install.ExplainSeal(err)
	}
	if err := checkIssuers(ctx, srv.store, srv.cfg); err != nil {
		return err
	}
	keyConfig := install.KeyringConfig(srv.cfg, srv.store, record.ID, master)
	keyConfig.Remote = install.RemoteKeys(srv.cfg, srv.hsm)
	keyConfig.Mark, keyConfig.Now = install.MarkFile(srv.cfg), srv.now
	keyConfig.Log = srv.log
	keyConfig.Writing = func(ctx context.Context, events []keys.Event) context.Context {
		if srv.server == nil {
			return ctx
		}
		return srv.server.WritingKeys(ctx, events)
	}
	keyConfig.OnEvent = func(e keys.Event) {
		if srv.server != nil {
			srv.server.KeyEvent(e)
		}
	}
	srv.keys, err = keys.Open(ctx, keyConfig)
	if errors.Is(err, masterkey.ErrMismatch) {
		return fmt.Errorf("master key: it is not the one this store was made with (%w); put the right one back, nothing was changed", err)
	}
	if errors.Is(err, clockcheck.ErrClock) {
		return install.ExplainClock(err)
	}
	if errors.Is(err, privatekey.ErrProvider) {
		return install.ExplainProvider(err)
	}
	if errors.As(err, new(*mark.Error)) {
		return install.ExplainMark(srv.cfg, err)
	}
	if err != nil {
		return fmt.Errorf("keyring: %w", install.ExplainTimetable(srv.cfg, err))
	}
	if err := srv.verifyRecords(ctx); err != nil {
		return err
	}
	var passwords password.Worker
	if srv.worker != nil {
		passwords = srv.worker
	}
	cfg, err := serverConfig(srv.cfg, srv.log, srv.pepper, passwords)
	if err != nil {
		return err
	}
	if cfg.BackChannel, err = install.BackChannel(srv.cfg); err != nil {
		return err
	}
	if cfg.Upstream, err = install.Upstream(srv.cfg, getenv); err != nil {
		return err
	}
	cfg.Seals = srv.seals
	if traces != nil {
		cfg.Trace = traces.Request
	}
	cfg.Store, cfg.Keys, cfg.Log, cfg.Version, cfg.Registry, cfg.Now = srv.store, srv.keys, srv.log, srv.version, srv.registry, srv.now
	for _, key := range master {
		cfg.RefreshKeys = append(cfg.RefreshKeys, key.Derive("signet refresh tokens"))
		cfg.ThrottleKeys = append(cfg.ThrottleKeys, key.Derive("signet throttle"))
		cfg.AuditKeys = append(cfg.AuditKeys, key.Derive(install.AuditKeyPurpose))
	}
	cfg.Timetable = install.TimetableText(srv.cfg)
	cfg.InstallID = record.ID
	srv.passwords = cfg.Passwords
	srv.server, err = server.New(cfg)
	return err
}

// verifyRecords makes the keyring decide which master key seals records, and whether a record without a seal is
// refused. The install record was read before that, so it is read again.
func (srv *Daemon) verifyRecords(ctx context.Context) error {
	srv.seals.Use(srv.keys.MasterKeyInUse)
	srv.seals.RequireWhen(func() bool { return srv.keys.Records().Sealed })
	if _, err := srv.store.Install(ctx); err != nil {
		return install.ExplainSeal(err)
	}
	if !srv.keys.Records().Sealed {
		srv.log.Warn("unsealed store", slog.String("warning", install.UnsealedWarning))
	}
	if b, ok := srv.store.(*bolt.Store); ok {
		b.Verify()
	}
	return nil
}

// Close releases the server, the HSM and the store, after the last request.
func (srv *Daemon) Close() error {
	srv.server.Close()
	srv.closeWorker()
	srv.closeHSM()
	if err := srv.store.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}

// ServerConfig returns what the configuration sets of the server. Store, keys and log are set by the caller; log here
// is for what goes wrong later.
func ServerConfig(cfg config.Config, log *slog.Logger) (server.Config, error) {
	return serverConfig(cfg, log, nil, nil)
}

func serverConfig(cfg config.Config, log *slog.Logger, pepper []byte, passwords password.Worker) (server.Config, error) {
	policy, err := passwordPolicy(cfg.Password)
	if err != nil {
		return server.Config{}, err
	}
	pages, err := NewPages(cfg, log)
	if err != nil {
		return server.Config{}, err
	}
	argon2 := cfg.Password.Argon2
	pool := password.Config{Worker: passwords, Pepper: pepper, Slots: cfg.Password.Slots, Queue: cfg.Password.Queue, Wait: cfg.Password.Wait,
		Caps:   hash.Caps{Memory: cfg.Password.Import.MemoryKiB, Work: cfg.Password.Import.WorkKiB, BcryptCost: cfg.Password.Import.BcryptCost},
		Argon2: hash.Params{Memory: argon2.MemoryKiB, Time: argon2.Time, Threads: argon2.Threads}}
	if err := pool.Validate(); err != nil {
		return server.Config{}, fmt.Errorf("password: %w", err)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		pool.Threads = password.NewThreads(runtime.GOMAXPROCS(0), func(n int) { runtime.GOMAXPROCS(n) })
	}
	var breachedAtLogin func(string) (bool, error)
	if cfg.Password.BlocklistAtLogin {
		breachedAtLogin = policy.IsBreached
	}
	return server.Config{
		Issuer: cfg.Issuer, Passwords: password.New(pool), MaxTokenLife: cfg.Keys.MaxTokenLife, ClientMaxAge: cfg.Keys.Poll, StaleIfError: cfg.Keys.CDN,
		Settings: server.Settings{
			Settings: oauth.Settings{
				Settings: signin.Settings{
					Lifetimes: store.Lifetimes{Idle: cfg.Refresh.Idle, Absolute: cfg.Refresh.Absolute}, SessionsPerUser: cfg.Refresh.SessionsPerUser,
					Throttle: throttle.Config{PerAccount: cfg.Throttle.PerAccount, PerNetwork: cfg.Throttle.PerNetwork, PerClient: cfg.Throttle.PerClient,
						Anywhere: cfg.Throttle.Anywhere},
					Breached: breachedAtLogin,
				},
				Audience: ownAudience(cfg), Grace: cfg.Refresh.Grace, MaxReplays: uint16(cfg.Refresh.MaxReplays), Late: cfg.Refresh.Late,
			},
			DefaultClient: cfg.DefaultClient, AccessTokenTTL: cfg.AccessToken.TTL, Policy: policy,
			TrustedProxies: cfg.TrustedProxies, Page: pages, LogUsernames: cfg.Log.Usernames,
		},
	}, nil
}

// ownAudience returns nil if the audience is only the issuer. The server then uses the issuer it runs with, also after
// the issuer in the configuration has changed.
func ownAudience(cfg config.Config) []string {
	if slices.Equal(cfg.Audience, []string{cfg.Issuer}) {
		return nil
	}
	return cfg.Audience
}

func passwordPolicy(cfg config.Password) (password.Policy, error) {
	policy := password.Policy{MinLength: cfg.MinLength, Context: cfg.Context}
	if cfg.Blocklist == "" {
		return policy, nil
	}
	file, err := os.Open(cfg.Blocklist)
	if err != nil {
		return policy, fmt.Errorf("password.blocklist: %w", err)
	}
	defer file.Close()
	in := bufio.NewReader(file)
	if beginning, _ := in.Peek(16); breached.IsFilter(beginning) {
		filter, err := breached.Open(cfg.Blocklist) // closed by the garbage collector after a reload, when nothing looks there any more
		if err != nil {
			return policy, fmt.Errorf("password.blocklist: %w; make it again with signet blocklist build", err)
		}
		policy.Breached = filter
		return policy, nil
	}
	if policy.Blocklist, err = password.LoadBlocklist(in); err != nil {
		return policy, fmt.Errorf("password.blocklist: %s: %w", cfg.Blocklist, err)
	}
	return policy, nil
}

// startHSM opens the token. An error in its setup ends the start. A token that cannot be reached does not: the key set
// is served without it, and /token answers 503 until it is back.
func (srv *Daemon) startHSM(ctx context.Context, getenv func(string) string) (err error) {
	if srv.hsm, err = install.OpenHSM(srv.cfg, getenv); err != nil || srv.hsm == nil {
		return err
	}
	err = install.CheckHSM(ctx, srv.cfg, srv.hsm)
	if errors.Is(err, pkcs11.ErrSetup) {
		srv.closeHSM()
		return fmt.Errorf("keys.hsm: %w", err)
	}
	if err != nil {
		srv.log.Error("the HSM cannot be reached; tokens are signed when it can", slog.Any("error", err))
	}
	return nil
}

func (srv *Daemon) closeWorker() {
	if srv.worker != nil {
		srv.worker.Close()
	}
}

// closeHSM logs out. An error is logged, and does not stop the shutdown.
func (srv *Daemon) closeHSM() {
	if srv.hsm == nil {
		return
	}
	if err := srv.hsm.Close(); err != nil {
		srv.log.Warn("closing the HSM", slog.Any("error", err))
	}
}

// checkIssuers returns an error if servers on the same store have another issuer. The server itself warns of other
// differences while it runs.
func checkIssuers(ctx context.Context, s store.Heartbeats, cfg config.Config) error {
	beats, err := s.Beats(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, b := range beats {
		if b.Issuer != "" && b.Issuer != cfg.Issuer {
			return fmt.Errorf("issuer: it is %s here, and replica %s on the same store has %s; give all servers of one store the same issuer "+
				"(to change it, stop all of them first; one that did not stop in order is forgotten within a minute)", cfg.Issuer, b.Replica, b.Issuer)
		}
	}
	return nil
}
