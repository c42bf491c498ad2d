package signin

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/account"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/throttle"
	"signet/server/upstream"
	"signet/store"
)

// Settings can change while the server runs.
type Settings struct {
	Lifetimes       store.Lifetimes // of sessions
	SessionsPerUser int             // beyond it the oldest ends; 0: 100
	Throttle        throttle.Config

	// Breached reports whether the normalised password of a login is in a list of breached ones; nil: none is looked up.
	Breached func(password string) (bool, error)
}

// Config configures an Engine. All fields are required, but Upstream may be nil.
type Config struct {
	Store     store.Store
	Passwords *password.Pool
	Upstream  *upstream.Upstream
	Hashes    *account.Sampler
	Clients   *clientauth.Cache
	Throttle  *throttle.Throttle
	Audit     *audit.Recorder
	Log       *slog.Logger
	Now       func() time.Time
	Registry  prometheus.Registerer
	Settings  func() *Settings // in force; what it points to is never changed
}

// Engine signs users in. It is safe for concurrent use.
type Engine struct {
	cfg         Config
	underAttack prometheus.Counter
}

// New returns an Engine, and registers its metrics.
func New(cfg Config) *Engine {
	e := &Engine{cfg: cfg, underAttack: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_accounts_under_attack_total",
		Help: "Times that the failed logins of one account from new networks reached their limit."})}
	cfg.Registry.MustRegister(e.underAttack)
	return e
}

// Login is one attempt to sign in to a client.
type Login struct {
	Client   *store.Client
	Username string // as typed
	Password string
	Device   store.Device // of the browser where there is one
}

// SignedIn is a login that has succeeded. End it with Confirm or Abandon.
type SignedIn struct {
	Session store.Session // that has begun; its StartedAt is when the user was authenticated
	User    store.User    // of this moment; Breached is of the password that was used
	AMR     []string      // how the user was authenticated (RFC 8176); not to be changed
	ACR     string        // how strong that was; see ACRPassword

	event store.Event
}

// ACRPassword is the acr of a login with one factor. The values are whole numbers, and a higher one is stronger.
const ACRPassword = "1"

// AMRPassword returns the amr of a login with a password (RFC 8176 §2).
func AMRPassword() []string { return []string{"pwd"} }

// Password signs a user in with a username and a password. The error is a *RefusedError, a *ThrottledError, an error of the
// input (ErrIncomplete, ErrNameTooLong), clientauth.ErrInvalidClient where the client was changed during the login, or an
// *edge.Error of status 503 where nothing was decided.
func (e *Engine) Password(r *edge.Request, in Login) (SignedIn, error) {
	a := attempt{Engine: e, request: r, Login: in}
	if err := a.identify(); err != nil {
		return SignedIn{}, err
	}
	if err := a.checkPassword(); err != nil {
		return SignedIn{}, err
	}
	return a.begin()
}

// Confirm records a login whose user has got what the login was for.
func (e *Engine) Confirm(r *edge.Request, in SignedIn) { e.cfg.Audit.Change(r, in.event) }

// Abandon ends the session of a login whose user has got nothing, such as tokens that could not be signed: repeated tries
// must not crowd out the user's other sessions.
func (e *Engine) Abandon(r *edge.Request, in SignedIn) {
	if _, err := e.cfg.Store.RevokeSession(context.WithoutCancel(r.Context()), in.Session.UserID, in.Session.ID); err != nil {
		e.cfg.Log.WarnContext(r.Context(), "ending a session that began without tokens", slog.Any("error", err))
	}
	e.cfg.Audit.Drop(in.event)
}

// StillServed looks at the client once more, after the step that has begun or carried on a session: a client that was
// disabled, deleted or made anew meanwhile gets nothing, and the session ends.
func (e *Engine) StillServed(ctx context.Context, client *store.Client, session store.Session) error {
	ok, err := e.cfg.Clients.Unchanged(ctx, client)
	switch {
	case err != nil:
		return edge.Unavailable(err)
	case ok:
		return nil
	}
	if _, err := e.cfg.Store.RevokeSession(ctx, session.UserID, session.ID); err != nil {
		return edge.Unavailable(err)
	}
	return clientauth.ErrInvalidClient.Because("the client was changed during the request")
}
