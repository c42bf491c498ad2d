package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/keys/secret"
	"signet/server/backchannel"
	"signet/server/edge"
	"signet/server/oauth"
	"signet/server/page"
	"signet/server/password"
	"signet/server/upstream"
	"signet/store"
	"signet/store/seal"
)

// Config configures a Server. Issuer, Store, Keys, Passwords, RefreshKeys and ThrottleKeys are required.
type Config struct {
	secret.Hidden // it has keys, and a careless line of a log would print them

	Issuer    string // absolute URL without a trailing slash; every URL and iss is built from it
	Version   string // of the program, for the admin listener's status
	Store     store.Store
	Seals     *seal.Keys // of the store's records; nil: they have none
	Keys      *keys.Manager
	Passwords *password.Pool
	Upstream  upstream.Settings // asked for the passwords of users who are not here; the zero value: there is none

	BackChannel backchannel.Settings // with which apps are informed of logouts; without HTTP they are not

	RefreshKeys  [][32]byte // of the master keys that Keys has, in their order; that of the one in use seals refresh tokens
	ThrottleKeys [][32]byte // likewise; they hide names and addresses in throttle keys
	AuditKeys    [][32]byte // of the master keys, as RefreshKeys: the first signs the audit lines of the log; none: they are not signed
	InstallID    string     // is signed with them

	Timetable    string        // of the signing keys, as in heartbeats: settings and values, separated by spaces
	MaxTokenLife time.Duration // no access token lives longer (the timetable's T); 0: 1 hour
	ClientMaxAge time.Duration // how long a change of a client made through another replica may go unseen; 0: 10 seconds
	StaleIfError time.Duration // how long caches may serve the key set while they cannot reach us; 0: not at all

	Settings // what Apply can change later

	Log      *slog.Logger         // nil discards
	Now      func() time.Time     // nil means time.Now
	Registry *prometheus.Registry // nil: a registry of its own

	// Trace begins the trace of a request, see edge.Config; nil: there are no traces.
	Trace func(r *http.Request, trusted bool) (ctx context.Context, end func(r *edge.Request, rt *edge.Route, status int))
}

// Settings are the part of Config that can change while the server runs; see Apply.
type Settings struct {
	oauth.Settings
	DefaultClient  string          // a public client for requests that name none; empty: refuse them
	AccessTokenTTL time.Duration   // of clients without their own; 0: 5 minutes
	Policy         password.Policy // what a new password must be
	Page           *page.Renderer  // of what people see; nil: the program's own pages
	LogUsernames   bool            // record the username of every failed login as it was typed, also of unknown users
	TrustedProxies []netip.Prefix  // whose X-Forwarded-For counts, for throttling and the audit trail only
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

func (set Settings) withDefaults(issuer string) Settings {
	setDefault(&set.AccessTokenTTL, 5*time.Minute)
	setDefault(&set.Lifetimes.Idle, 30*24*time.Hour)
	setDefault(&set.Lifetimes.Absolute, 90*24*time.Hour)
	setDefault(&set.MaxReplays, 1000)
	setDefault(&set.SessionsPerUser, 100)
	if len(set.Audience) == 0 {
		set.Audience = []string{issuer}
	}
	return set
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
