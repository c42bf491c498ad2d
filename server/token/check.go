package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/jose"
	"signet/keys/keyset"
	"signet/store"
)

// Access is an access token of ours that is good at this moment, with what stands behind it.
type Access struct {
	Claims Claims
	Client *store.Client
	User   *store.User // nil for a token of the client credentials grant
}

// Errors of a check.
var (
	// ErrInactive is a token that is not good now. The error text has the reason, for the log.
	ErrInactive = errors.New("token is not active")
	// ErrUndecided is a token that cannot be checked now. The error text is that of the dependency that failed.
	ErrUndecided = errors.New("token cannot be checked now")
)

// Clients finds clients, from a cache.
type Clients interface {
	// Get returns the client or store.ErrNotFound.
	Get(ctx context.Context, id string) (*store.Client, error)
	// Reread returns the client as the store has it at this moment.
	Reread(ctx context.Context, id string) (*store.Client, error)
}

// CheckerConfig configures a Checker. All fields are required.
type CheckerConfig struct {
	Issuer    string
	Keys      *keys.Manager
	Store     store.Revocations
	Clients   Clients
	Now       func() time.Time
	Lifetimes func() store.Lifetimes // of sessions
	Log       *slog.Logger
	Registry  prometheus.Registerer
}

// Checker checks access tokens.
type Checker struct {
	cfg        CheckerConfig
	unreadable prometheus.Counter
}

// NewChecker returns a Checker, and registers its metrics.
func NewChecker(cfg CheckerConfig) *Checker {
	c := &Checker{cfg: cfg, unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_unreadable_tokens_total",
		Help: "Presented access tokens that were signed here and whose claims cannot be read. They count as inactive."})}
	cfg.Registry.MustRegister(c.unreadable)
	return c
}

// Check is the one predicate for "this access token is good now": introspection, userinfo, revocation and the admin
// listener all use it. The error is ErrInactive or ErrUndecided.
func (c *Checker) Check(ctx context.Context, raw string) (*Access, error) {
	return c.CheckWith(ctx, raw, c.cfg.Clients.Get)
}

// CheckWith is Check with another way to find the token's client.
func (c *Checker) CheckWith(ctx context.Context, raw string, find func(ctx context.Context, id string) (*store.Client, error)) (*Access, error) {
	t := &Access{}
	kid, err := c.cfg.Keys.Verify(raw, TypeAccess, &t.Claims)
	if errors.Is(err, keys.ErrStale) || errors.Is(err, clockcheck.ErrClock) {
		return nil, undecided(err)
	}
	if errors.Is(err, keyset.ErrUnreadable) {
		c.unreadable.Inc()
		c.cfg.Log.ErrorContext(ctx, "an access token that was signed here cannot be read, and counts as inactive; report this with the claims that its client is given")
	}
	if err != nil {
		return nil, Inactive("%w", err)
	}
	now := c.cfg.Now()
	switch {
	case t.Claims.Issuer != c.cfg.Issuer:
		return nil, Inactive("issued by another server, with key %s", kid)
	case now.Unix() >= t.Claims.ExpiresAt:
		return nil, Inactive("expired")
	case t.Claims.ID == "" || t.Claims.ClientID == "":
		return nil, Inactive("lacks jti or client_id")
	}
	if t.Client, err = find(ctx, t.Claims.ClientID); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, Inactive("its client is gone")
		}
		return nil, undecided(err)
	}
	if t.Client.Disabled || t.Claims.IssuedAt < t.Client.NotBefore.Unix() {
		return nil, Inactive("its client was disabled")
	}
	if t.Claims.SessionID == "" {
		if err := c.confirmEpoch(ctx, t, t.Claims.ClientEpoch); err != nil {
			return nil, err
		}
	}
	return t, c.checkState(ctx, t, now)
}

func (c *Checker) checkState(ctx context.Context, t *Access, now time.Time) error {
	ref, err := t.Claims.ref()
	if err != nil {
		return Inactive("%w", err)
	}
	state, err := c.cfg.Store.TokenState(ctx, ref)
	switch {
	case err != nil:
		return undecided(err)
	case state.Revoked:
		return Inactive("revoked by its jti")
	case ref.UserID.IsZero():
		return nil
	case !state.Live:
		return Inactive("its session has ended")
	case state.Session.ClientID != t.Client.ID:
		return Inactive("its session is another client's")
	}
	if err := c.confirmEpoch(ctx, t, state.Session.ClientEpoch); err != nil {
		return err
	}
	if why := c.SessionEnded(state.Session, &state.User, t.Client, now); why != "" {
		return Inactive("%s", why)
	}
	t.User = &state.User
	return nil
}

// confirmEpoch compares the epoch of the client that the token or its session began in with the
// client's. One that is later shows that the cache is behind, and the client is read again.
func (c *Checker) confirmEpoch(ctx context.Context, t *Access, epoch uint32) (err error) {
	if epoch > t.Client.Epoch {
		if t.Client, err = c.cfg.Clients.Reread(ctx, t.Client.ID); errors.Is(err, store.ErrNotFound) {
			return Inactive("its client is gone")
		}
		if err != nil {
			return undecided(err)
		}
	}
	if epoch != t.Client.Epoch || t.Client.Disabled {
		return Inactive("its client was disabled, made anew, or signed out everywhere")
	}
	return nil
}

// SessionEnded returns why a session that is still on record is over, or "".
func (c *Checker) SessionEnded(session store.Session, user *store.User, client *store.Client, now time.Time) string {
	switch {
	case user.Disabled:
		return "its user is disabled"
	case session.UserEpoch != user.Epoch, session.ClientEpoch != client.Epoch,
		session.StartedAt.Before(user.NotBefore), session.StartedAt.Before(client.NotBefore):
		return "its session was revoked"
	case c.cfg.Lifetimes().Ended(session, now):
		return "its session is over"
	}
	return ""
}

// ref names the token to the store. A token has a user and a session, or neither.
func (claims *Claims) ref() (store.TokenRef, error) {
	ref := store.TokenRef{JTI: claims.ID}
	if claims.SessionID == "" {
		if claims.Subject != claims.ClientID {
			return ref, errors.New("neither a user's token nor its client's own")
		}
		return ref, nil
	}
	var err error
	if ref.SessionID, err = store.ParseSessionID(claims.SessionID); err != nil {
		return ref, err
	}
	ref.UserID, err = store.ParseUserID(claims.Subject)
	return ref, err
}

// Inactive returns ErrInactive with a reason.
func Inactive(format string, args ...any) error {
	return &checkError{ErrInactive, fmt.Errorf(format, args...)}
}

func undecided(err error) error { return &checkError{ErrUndecided, err} }

// checkError is one of the two errors of a check. Its text is that of the cause.
type checkError struct{ kind, cause error }

func (e *checkError) Error() string        { return e.cause.Error() }
func (e *checkError) Is(target error) bool { return target == e.kind }
func (e *checkError) Unwrap() error        { return e.cause }

// Partial returns what can be read of a token that was signed here and whose claims cannot be read as a whole: a
// newer version may read it. ok is false where not even its client and its jti can be read. expires is zero where the
// token has no time that can be read.
func (c *Checker) Partial(raw string) (clientID, jti string, expires time.Time, ok bool) {
	var claims map[string]json.RawMessage
	if _, err := c.cfg.Keys.Verify(raw, TypeAccess, &claims); err != nil {
		return "", "", time.Time{}, false
	}
	clientID, _ = jose.ClaimText(claims["client_id"])
	jti, _ = jose.ClaimText(claims["jti"])
	expires, err := jose.ClaimTime(claims, "exp")
	if err != nil {
		expires = time.Time{}
	}
	return clientID, jti, expires, clientID != "" && jti != ""
}
