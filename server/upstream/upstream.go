package upstream

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/account"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/syntax"
	"signet/store"
)

// Settings are what an operator sets of an upstream.
type Settings struct {
	Source      Source        // nil: there is no upstream
	Kind        string        // of the source, for the audit trail: https or ldap
	Stay        bool          // passwords stay there: it is asked at each login, and nothing is hashed here
	IDClaim     string        // the claim that keeps the id of the other system
	Timeout     time.Duration // of a call, with its wait for a turn
	Concurrency int           // calls at once
}

// Config configures an Upstream. All fields are required.
type Config struct {
	Settings
	Store     store.Users
	Passwords *password.Pool
	Audit     *audit.Recorder
	Log       *slog.Logger
	Now       func() time.Time
	Registry  prometheus.Registerer
}

// Upstream checks passwords at a Source and keeps the users that it accepts.
type Upstream struct {
	cfg     Config
	guard   *guard
	timing  timing
	calls   *prometheus.CounterVec
	seconds prometheus.Histogram
	moved   *prometheus.CounterVec
}

// Results of a call, in metrics.
const (
	resultAccepted    = "accepted"
	resultDisabled    = "disabled"
	resultRefused     = "refused"
	resultUnavailable = "unavailable"
	resultUnusable    = "unusable"
)

// New returns an Upstream, and registers its metrics. It returns nil where there is no source: the methods of a nil
// Upstream make no calls.
func New(cfg Config) *Upstream {
	if cfg.Source == nil {
		return nil
	}
	u := &Upstream{cfg: cfg, guard: newGuard(cfg.Settings),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_upstream_calls_total",
			Help: "Passwords that the upstream was asked about, by result: accepted, disabled, refused, unavailable, unusable."}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "signet_upstream_call_seconds", Help: "How long the upstream took to answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
		moved: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_upstream_users_total",
			Help: "Users that came from the upstream: created here, completed where they were imported before, updated where they stay there."}, []string{"how"}),
	}
	for _, result := range []string{resultAccepted, resultDisabled, resultRefused, resultUnavailable, resultUnusable} {
		u.calls.WithLabelValues(result) // so that the first one is a rise from 0
	}
	for _, how := range []string{"created", "completed", "updated"} {
		u.moved.WithLabelValues(how)
	}
	cfg.Registry.MustRegister(u.calls, u.seconds, u.moved, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signet_upstream_breaker_open",
		Help: "1 while the upstream is not asked, because it did not answer lately."}, func() float64 {
		if u.guard.open() {
			return 1
		}
		return 0
	}))
	return u
}

// Login is one login that the upstream is asked about.
type Login struct {
	Typed      string           // the username as typed, without white space at its ends
	Password   string           //
	Draw       uint64           // a number of the name, see password.Pool.VerifyFor
	Credential store.Credential // what is here of the user
}

// Result is what became of a login.
type Result struct {
	Credential store.Credential // of the user as it is now
	Match      bool             // the password is right
	Reason     string           // where it is not, for the operator; may be empty
}

// Asks reports whether the upstream is asked about a login.
func (u *Upstream) Asks(typed string, c store.Credential) bool {
	switch {
	case u == nil || c.Disabled:
		return false
	case !c.UserID.IsZero():
		return c.PasswordHash == "" && (c.Move == store.MovePending || c.Move == store.MoveStay)
	}
	name, err := password.CanonicalUsername(typed)
	return err == nil && len(name) <= account.MaxName && !strings.HasPrefix(name, syntax.UserPrefix)
}

// Pause makes the refusal of a login that the upstream is not asked about take as long as one that it is.
func (u *Upstream) Pause(ctx context.Context) {
	if u != nil {
		pause(ctx, u.timing.call())
	}
}

// Check asks the upstream about a login, and makes or completes the user whose password it accepts. ctx ends when the
// caller leaves. After an error nothing is known of the password: it is ErrUnavailable, ErrAnswer, store.ErrUnavailable,
// password.ErrBusy or that of ctx.
func (u *Upstream) Check(ctx context.Context, r *edge.Request, in Login) (Result, error) {
	name, err := u.nameThere(ctx, in)
	if err != nil {
		return Result{}, err
	}
	answer, err := u.ask(ctx, name, in.Password)
	switch {
	case err != nil:
		if errors.Is(err, ErrAnswer) {
			u.recordUnusable(r, err)
		}
		return Result{}, err
	case !answer.Match:
		if _, err := u.cfg.Passwords.VerifyFor(ctx, in.Draw, "", in.Password); err != nil {
			return Result{}, err
		}
		return Result{Credential: in.Credential, Reason: "the upstream refused the password" + detail(answer.Reason)}, nil
	}
	user, err := u.accept(ctx, r, in, answer)
	var local *localHash
	switch {
	case errors.As(err, &local):
		return u.checkHere(ctx, in, local.user)
	case errors.Is(err, ErrAnswer):
		u.calls.WithLabelValues(resultUnusable).Inc()
		u.recordUnusable(r, err)
		return Result{}, err
	case err != nil:
		return Result{}, err
	}
	c := user.Credential()
	c.Disabled = c.Disabled || answer.Disabled
	return Result{Credential: c, Match: true}, nil
}

func detail(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// nameThere is the name by which the other system is asked: as typed, or the username of a user who is here and has typed an alias,
// which is known here alone. A name that no user has takes the same step of the store.
func (u *Upstream) nameThere(ctx context.Context, in Login) (string, error) {
	user, err := u.cfg.Store.User(ctx, in.Credential.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return in.Typed, nil
	case err != nil:
		return "", err
	}
	if spellings, err := password.UsernameSpellings(in.Typed); err != nil || slices.Contains(spellings, user.Username) {
		return in.Typed, nil
	}
	return user.Username, nil
}

// ask calls the source, and holds a refusal back; see the package documentation.
func (u *Upstream) ask(ctx context.Context, name, secret string) (Answer, error) {
	begun := time.Now() // of the wait for a turn, if there is no call
	called := false
	answer, err := u.guard.check(ctx, name, secret, func() { begun, called = time.Now(), true })
	took := time.Since(begun)
	if called {
		u.seconds.Observe(took.Seconds())
	}
	if err == nil {
		u.timing.observe(answer.Match, took)
	}
	u.calls.WithLabelValues(resultOf(answer, err)).Inc()
	if err == nil && (!answer.Match || answer.Disabled) {
		pause(ctx, u.timing.floor()-took)
	}
	return answer, err
}

func resultOf(answer Answer, err error) string {
	switch {
	case errors.Is(err, ErrAnswer):
		return resultUnusable
	case err != nil:
		return resultUnavailable
	case !answer.Match:
		return resultRefused
	case answer.Disabled:
		return resultDisabled
	}
	return resultAccepted
}

// localHash is the error of a login whose user has got a hash here meanwhile.
type localHash struct{ user store.User }

func (*localHash) Error() string { return "the user has a password here meanwhile" }

// accept makes or completes the user of an answer, and returns the user as it then is.
func (u *Upstream) accept(ctx context.Context, r *edge.Request, in Login, answer Answer) (store.User, error) {
	if err := u.check(answer); err != nil {
		return store.User{}, err
	}
	if in.Credential.UserID.IsZero() {
		return u.create(ctx, r, in, answer)
	}
	return u.complete(ctx, r, in, in.Credential.UserID, answer)
}

// check returns what is wrong with an answer by itself.
func (u *Upstream) check(answer Answer) error {
	if err := checkID(answer.ID); err != nil {
		return err
	}
	if named, ok := answer.Claims[u.cfg.IDClaim]; ok && !sameJSON(named, answer.ID) {
		return BadAnswer("the claim %s is not the id", edge.QuoteShort(u.cfg.IDClaim))
	}
	_, err := u.claims(nil, answer)
	return err
}

func sameJSON(a, b json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(a), bytes.TrimSpace(b)) }

// claims adds those of the answer to those that are here.
func (u *Upstream) claims(here map[string]json.RawMessage, answer Answer) (map[string]json.RawMessage, error) {
	changes := maps.Clone(answer.Claims)
	if changes == nil {
		changes = map[string]json.RawMessage{}
	}
	changes[u.cfg.IDClaim] = answer.ID
	merged, err := account.MergeClaims(here, changes)
	if err != nil {
		return nil, BadAnswer("%s", err)
	}
	return merged, nil
}

// hash returns what is stored of the password; "" where it is not checked here.
func (u *Upstream) hash(ctx context.Context, secret string) (string, error) {
	if u.cfg.Stay {
		return "", nil
	}
	hash, err := u.cfg.Passwords.HashAccepted(ctx, "", secret)
	if errors.Is(err, password.ErrPassword) || errors.Is(err, password.ErrTooLong) {
		return "", nil // it was right there, and cannot be hashed here
	}
	return hash, err
}

// settle puts the answer into the user's record.
func (u *Upstream) settle(user *store.User, hash string, answer Answer, now time.Time) error {
	before := user.Claims
	if u.cfg.Stay {
		before = nil
	}
	claims, err := u.claims(before, answer)
	if err != nil {
		return err
	}
	user.Claims, user.PasswordHash = claims, hash
	switch {
	case u.cfg.Stay:
		user.Move = store.MoveStay
		return nil
	case hash == "":
		user.Move = store.MovePending
	default:
		user.Move, user.MovedAt = store.MoveDone, now
	}
	user.Disabled = user.Disabled || answer.Disabled
	return nil
}

func (u *Upstream) create(ctx context.Context, r *edge.Request, in Login, answer Answer) (store.User, error) {
	name, err := password.CanonicalUsername(in.Typed)
	if err != nil {
		return store.User{}, err // Asks has refused it
	}
	hash, err := u.hash(ctx, in.Password)
	if err != nil {
		return store.User{}, err
	}
	now := store.Millis(u.cfg.Now())
	user := store.User{Username: name, CreatedAt: now, UpdatedAt: now}
	rand.Read(user.ID[:])
	if err := u.settle(&user, hash, answer, now); err != nil {
		return store.User{}, err
	}
	e := u.event(&user, "created")
	err = u.cfg.Store.CreateUser(u.changing(r, &user, &e), user)
	if errors.Is(err, store.ErrExists) {
		r.Subject, r.Username, r.Changing = "", "", ""
		u.cfg.Audit.Drop(e)
		return u.meanwhile(ctx, r, in, name, answer)
	}
	if err != nil {
		return store.User{}, err
	}
	u.recordMove(r, e, "created")
	return user, nil
}

// meanwhile is for a name that was taken by another login or an import while the upstream was asked.
func (u *Upstream) meanwhile(ctx context.Context, r *edge.Request, in Login, name string, answer Answer) (store.User, error) {
	user, err := u.cfg.Store.UserByName(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound): // made and deleted
		return store.User{}, NoAnswer(err)
	case err != nil:
		return store.User{}, err
	}
	r.Subject, r.Username = user.ID.String(), user.Username
	if !u.Asks(in.Typed, user.Credential()) {
		return store.User{}, &localHash{user}
	}
	return u.complete(ctx, r, in, user.ID, answer)
}

// errSame ends an update that would change nothing.
var errSame = errors.New("nothing to change")

// complete puts the answer into the record of a user who is here.
func (u *Upstream) complete(ctx context.Context, r *edge.Request, in Login, id store.UserID, answer Answer) (store.User, error) {
	hash, err := u.hash(ctx, in.Password)
	if err != nil {
		return store.User{}, err
	}
	now := store.Millis(u.cfg.Now())
	var same, next store.User
	var e store.Event
	how := ""
	user, err := u.cfg.Store.UpdateUser(store.WithEvent(r.Context(), &e), id, func(user *store.User) error {
		if !u.Asks(in.Typed, user.Credential()) {
			return &localHash{*user}
		}
		if had, ok := user.Claims[u.cfg.IDClaim]; ok && !sameJSON(had, answer.ID) {
			return BadAnswer("the id is of another user than before")
		}
		before := *user
		if err := u.settle(user, hash, answer, now); err != nil {
			return err
		}
		if before.Move == user.Move && before.PasswordHash == user.PasswordHash && before.Disabled == user.Disabled && sameClaims(before.Claims, user.Claims) {
			same = before
			return errSame
		}
		if how = "completed"; before.Move == user.Move {
			how = "updated"
		}
		user.UpdatedAt, next = now, *user
		e = u.event(&next, how)
		audit.SetRevision(&e, user.Revision+1, user.Epoch)
		u.changing(r, &next, &e)
		return nil
	})
	switch {
	case errors.Is(err, errSame):
		user = same
	case errors.Is(err, store.ErrNotFound):
		return store.User{}, NoAnswer(fmt.Errorf("the user was deleted meanwhile: %w", err))
	case err != nil:
		return store.User{}, err
	default:
		u.recordMove(r, e, how)
	}
	if answer.Disabled && u.cfg.Stay {
		return u.cfg.Store.UpdateUser(r.Context(), id, func(user *store.User) error { user.EndSessions(); return nil })
	}
	return user, nil
}

func sameClaims(a, b map[string]json.RawMessage) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}

// checkHere checks the password against the hash of a user who has got one while the upstream was asked.
func (u *Upstream) checkHere(ctx context.Context, in Login, user store.User) (Result, error) {
	result, err := u.cfg.Passwords.VerifyFor(ctx, in.Draw, user.PasswordHash, in.Password)
	if err != nil {
		return Result{}, err
	}
	if !result.Match && !user.Disabled {
		// The upstream has just accepted it, and another one a moment before: the next try is decided here.
		return Result{}, NoAnswer(errors.New("the user has another password here meanwhile"))
	}
	return Result{Credential: user.Credential(), Match: result.Match}, nil
}

// event returns the event of a user that came, without what the request adds.
func (u *Upstream) event(user *store.User, how string) store.Event {
	return store.Event{Type: store.EventUserMove, Outcome: store.OutcomeOK, Subject: user.ID.String(),
		Detail: map[string]string{"how": how, "from": u.cfg.Kind, "state": user.Move.String(), store.DetailUsername: user.Username}}
}

// changing completes the event of a change that is about to be made, and returns its context.
func (u *Upstream) changing(r *edge.Request, user *store.User, e *store.Event) context.Context {
	r.Subject, r.Username, r.Changing = user.ID.String(), user.Username, store.EventUserMove
	return u.cfg.Audit.WithEvent(r, e)
}

func (u *Upstream) recordMove(r *edge.Request, e store.Event, how string) {
	r.Changing = ""
	u.moved.WithLabelValues(how).Inc()
	u.cfg.Audit.Change(r, e)
}

// recordUnusable records an answer that could not be used.
func (u *Upstream) recordUnusable(r *edge.Request, err error) {
	u.cfg.Log.WarnContext(r.Context(), "the answer of the upstream cannot be used", slog.String("kind", u.cfg.Kind), slog.Any("error", err))
	u.cfg.Audit.Refused(r, store.Event{Type: store.EventUpstream, Outcome: store.OutcomeUnavailable,
		Detail: map[string]string{store.DetailReason: err.Error(), "from": u.cfg.Kind}})
}
