package admin

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/admin/api"
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
	rec := recorder{cfg.Audit, cfg.Store}
	importKeys := cfg.ImportKeys
	cfg.ImportKeys = nil // it is not to show them when it is printed
	auth := newAuth(cfg)
	a := &Admin{cfg: cfg, auth: auth, writes: newSurface(cfg.Error, cfg.Audit, true), reads: newSurface(cfg.Error, cfg.Audit, false)}
	clients := &clients{store: cfg.Store, keys: cfg.Keys, cache: cfg.Clients, floors: cfg.Floors, auth: auth, rec: rec, now: cfg.Now,
		maxTokenLife: cfg.MaxTokenLife, warnings: cfg.ClientWarnings}
	users := &users{store: cfg.Store, passwords: cfg.Passwords, settings: cfg.Settings, rec: rec, now: cfg.Now}
	bulk := &bulk{users: users, rec: rec, now: cfg.Now, importKeys: importKeys, sampleHashes: cfg.SampleHashes, asError: cfg.Error}
	sessions := &sessions{store: cfg.Store, users: users, cache: cfg.Clients, settings: cfg.Settings, checker: cfg.Checker, rec: rec,
		now: cfg.Now, asError: cfg.Error}
	limits := &limits{store: cfg.Store, throttle: cfg.Throttle, settings: cfg.Settings, rec: rec, now: cfg.Now}
	keyring := &keyring{keys: cfg.Keys, replica: cfg.Replica, settings: cfg.Settings, rec: rec}
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

		{api.ListUsers, users.list},
		{api.CreateUser, users.create},
		{api.ImportUsers, bulk.importUsers},
		{api.ShowMoved, users.moved},
		{api.DisableUsers, bulk.each("disable", users.disable)},
		{api.EnableUsers, bulk.each("enable", users.enable)},
		{api.DeleteUsers, bulk.each("delete", users.delete)},
		{api.RevokeSessionsOfUsers, bulk.each("revoke-sessions", sessions.revokeAll)},
		{api.ShowUser, users.show},
		{api.UpdateUser, users.update},
		{api.DeleteUser, withoutBody(users.delete)},
		{api.SetPassword, users.setPassword},
		{api.DisableUser, withoutBody(users.disable)},
		{api.EnableUser, withoutBody(users.enable)},

		{api.RevokeAllSessions, withoutBody(sessions.revokeEverybody)},
		{api.ListSessions, sessions.list},
		{api.RevokeSessions, withoutBody(sessions.revokeAll)},
		{api.RevokeSession, withoutBody(sessions.revoke)},

		{api.ListThrottle, limits.list},
		{api.ClearThrottle, withoutBody(limits.clear)},

		{api.ListKeys, keyring.list},
		{api.PlanKeys, keyring.plan},
		{api.RotateKeys, keyring.rotate},
		{api.RewrapKeys, withoutBody(keyring.rewrap)},
		{api.ResetClock, withoutBody(keyring.resetClock)},
		{api.RevokeKey, keyring.revoke},

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
	return newRouter(a, func(r *Request, _ string) error {
		r.Actor, r.rights = "socket", []string{api.ScopeAdmin}
		return nil
	})
}

// Token returns the handler of a TCP listener. Each verb needs an access token with its scope.
func (a *Admin) Token() http.Handler { return newRouter(a, a.auth.authenticate) }

// Request is a request after its caller was let in. The caller's name is in Facts.Actor.
type Request struct {
	*edge.Request
	rights  []string                        // scopes of the API that the caller has; api.ScopeAdmin is all of them
	recheck func(ctx context.Context) error // whether the caller may still do what it does; nil: always
}

// verb is one row of the table. Responses are JSON; error.go has the errors.
type verb struct {
	api.Verb
	handle func(*Request) (edge.Response, error)
}

// recorder records what operators do.
type recorder struct {
	audit *audit.Recorder
	store store.Audit
}

// withEvent returns the context of a change, which the caller records by ok afterwards. The store keeps the event
// together with the change.
func (rec recorder) withEvent(r *Request, e *store.Event) context.Context {
	e.Outcome, e.Actor = store.OutcomeOK, r.Actor
	return rec.audit.WithEvent(r.Request, e)
}

// begin records a change of several steps before the first of them. It fails where the store cannot keep the event.
func (rec recorder) begin(r *Request, e store.Event) error {
	if err := rec.store.KeepEvent(rec.withEvent(r, &e), &e); err != nil {
		return err
	}
	rec.ok(r, e)
	return nil
}

// ok records a change that was made.
func (rec recorder) ok(r *Request, e store.Event) {
	e.Outcome, e.Actor = store.OutcomeOK, r.Actor
	rec.audit.Change(r.Request, e)
}
