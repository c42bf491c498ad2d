package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/keyring"
	"signet/server/admin/users"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/replica"
	"signet/server/throttle"
	"signet/server/token"
	"signet/store"
)

// Config configures an Admin. Every field is required, except where its comment has another word.
type Config struct {
	Issuer       string // without a trailing slash
	Version      string // of the program; may be empty
	Started      time.Time
	MaxTokenLife time.Duration // no access token lives longer
	Upstream     string        // kind of the system that is asked for passwords, see api.Status; empty: there is none

	Store     store.Store
	Keys      *keys.Manager
	Passwords *password.Pool
	Throttle  *throttle.Throttle
	Audit     *audit.Recorder
	Checker   *token.Checker
	Edge      *edge.Server
	Registry  *prometheus.Registry
	Log       *slog.Logger
	Now       func() time.Time
	Settings  func() Settings // those in force

	// ImportKeys hide which hashes users were imported with. They derive from the master keys, in their order.
	ImportKeys [][32]byte

	Clients *clientauth.Cache
	Floors  *clientauth.Floors
	Replica *replica.Replica
	Sealed  bool // the records of the store have seals

	// Error returns the response for any error of a handler, see edge.Surface.
	Error          func(error) *edge.Error
	ClientWarnings func(ctx context.Context, client store.Client, warnings []string) []string // adds what an operator should know of a client
	Readiness      func(context.Context) api.Readiness
	SampleHashes   func() // looks soon which formats of password hashes the store has
	WrapHashes     func() // soon wraps those that an import has left for later
}

// Settings are the part of the configuration that can change while the server runs.
type Settings struct {
	Lifetimes store.Lifetimes // of sessions
	Policy    password.Policy // what a new password must be
	Throttle  throttle.Config
}

// Admin answers the verbs of the admin API.
type Admin struct {
	cfg    Config
	auth   *auth
	writes *edge.Surface
	reads  *edge.Surface
	verbs  []verb
}

// New returns an Admin, and registers its metrics and those of the process.
func New(cfg Config) *Admin {
	rec := call.Recorder{Audit: cfg.Audit, Store: cfg.Store}
	importKeys := cfg.ImportKeys
	cfg.ImportKeys = nil // it is not to show them when it is printed
	auth := newAuth(cfg)
	a := &Admin{cfg: cfg, auth: auth, writes: newSurface(cfg.Error, cfg.Audit, true), reads: newSurface(cfg.Error, cfg.Audit, false)}
	clients := &clients{store: cfg.Store, keys: cfg.Keys, cache: cfg.Clients, floors: cfg.Floors, auth: auth, rec: rec, now: cfg.Now,
		maxTokenLife: cfg.MaxTokenLife, warnings: cfg.ClientWarnings}
	lifetimes := func() store.Lifetimes { return cfg.Settings().Lifetimes }
	people := users.New(users.Config{Store: cfg.Store, Passwords: cfg.Passwords, Policy: func() password.Policy { return cfg.Settings().Policy },
		Recorder: rec, Now: cfg.Now})
	bulk := users.NewBulk(users.BulkConfig{Users: people, ImportKeys: importKeys, Upstream: cfg.Upstream != "", SampleHashes: cfg.SampleHashes,
		WrapHashes: cfg.WrapHashes, Error: cfg.Error})
	sessions := users.NewSessions(users.SessionsConfig{Users: people, Clients: cfg.Clients, Lifetimes: lifetimes, Checker: cfg.Checker, Error: cfg.Error})
	limits := &limits{store: cfg.Store, throttle: cfg.Throttle, settings: cfg.Settings, rec: rec, now: cfg.Now}
	signing := keyring.New(keyring.Config{Keys: cfg.Keys, Replica: cfg.Replica, Lifetimes: lifetimes, Recorder: rec})
	events := &events{store: cfg.Store, audit: cfg.Audit, now: cfg.Now}
	backup := &backup{store: cfg.Store, audit: cfg.Audit, rec: rec, log: cfg.Log, now: cfg.Now, asError: cfg.Error}
	sealing := &sealing{store: cfg.Store, sealed: cfg.Sealed, keys: cfg.Keys, replica: cfg.Replica, floors: cfg.Floors, rec: rec, log: cfg.Log}
	status := newStatus(cfg)
	a.verbs = []verb{
		{api.ListClients, clients.list},
		{api.CreateClient, clients.create},
		{api.ShowClient, clients.show},
		{api.UpdateClient, clients.update},
		{api.DeleteClient, withoutBody(clients.delete)},
		{api.RotateSecret, clients.rotateSecret},
		{api.RevokeSecret, withoutBody(clients.revokeSecret)},
		{api.DisableClient, withoutBody(clients.disable)},
		{api.EnableClient, withoutBody(clients.enable)},

		{api.ListUsers, people.List},
		{api.CreateUser, people.Create},
		{api.ImportUsers, bulk.Import},
		{api.ShowMoved, people.Moved},
		{api.DisableUsers, bulk.Each("disable", people.Disable)},
		{api.EnableUsers, bulk.Each("enable", people.Enable)},
		{api.DeleteUsers, bulk.Each("delete", people.Delete)},
		{api.RevokeSessionsOfUsers, bulk.Each("revoke-sessions", sessions.RevokeAll)},
		{api.ShowUser, people.Show},
		{api.UpdateUser, people.Update},
		{api.DeleteUser, withoutBody(people.Delete)},
		{api.SetPassword, people.SetPassword},
		{api.RenameUser, people.Rename},
		{api.AddAlias, withoutBody(people.AddAlias)},
		{api.RemoveAlias, people.RemoveAlias},
		{api.DisableUser, withoutBody(people.Disable)},
		{api.EnableUser, withoutBody(people.Enable)},

		{api.RevokeAllSessions, withoutBody(sessions.RevokeEverybody)},
		{api.ListSessions, sessions.List},
		{api.RevokeSessions, withoutBody(sessions.RevokeAll)},
		{api.RevokeSession, withoutBody(sessions.Revoke)},

		{api.ListThrottle, limits.list},
		{api.ClearThrottle, withoutBody(limits.clear)},

		{api.ListKeys, signing.List},
		{api.PlanKeys, signing.Plan},
		{api.RotateKeys, signing.Rotate},
		{api.RewrapKeys, withoutBody(signing.Rewrap)},
		{api.ResetClock, withoutBody(signing.ResetClock)},
		{api.RevokeKey, signing.Revoke},

		{api.ListEvents, events.list},
		{api.Backup, backup.send},
		{api.SealStore, withoutBody(sealing.start)},
		{api.ShowStatus, status.show},
		{api.ShowMetrics, status.metrics},
	}
	return a
}

// Socket returns the handler of a Unix socket, whose mode 0600 is the authentication: a process that can open it may use
// every verb.
func (a *Admin) Socket() http.Handler {
	return newRouter(a, func(r *call.Request, _ string) error {
		r.Actor, r.Rights = "socket", []string{api.ScopeAdmin}
		return nil
	})
}

// Token returns the handler of a TCP listener. Each verb needs an access token with its scope.
func (a *Admin) Token() http.Handler { return newRouter(a, a.auth.authenticate) }

// verb is one row of the table. Responses are JSON; error.go has the errors.
type verb struct {
	api.Verb
	handle func(*call.Request) (edge.Response, error)
}
