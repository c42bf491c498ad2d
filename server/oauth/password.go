package oauth

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signet/server/account"
	"signet/server/edge"
	"signet/server/oauth/engine"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/server/token"
	"signet/server/upstream"
	"signet/store"
)

// passwordGrant is the password grant.
type passwordGrant struct{ *shared }

// login is the password grant (RFC 6749 §4.3): it finds the user, checks the password and starts a session.
// An unknown user, a wrong password and a disabled user get the same answer after the same work.
func (p *passwordGrant) login(g *grantRequest) (engine.Tokens, error) {
	typed, secret := g.Form.Get("username"), g.Form.Get("password")
	switch {
	case typed == "" || secret == "":
		return engine.Tokens{}, edge.InvalidRequest("username and password are both needed")
	case len(typed) > account.MaxName:
		return engine.Tokens{}, edge.InvalidRequest("username is too long")
	}
	typed = password.TrimUsername(typed)
	name, err := account.StoredName(g.Context(), p.cfg.Store, typed)
	switch {
	case errors.Is(err, password.ErrUsername):
		name = typed // no user has it, but it is counted and costs the same
	case err != nil:
		return engine.Tokens{}, edge.Unavailable(err)
	}
	g.TypedName = name
	receipt, credential, result, err := p.checkPassword(g, typed, name, secret)
	if err != nil {
		return engine.Tokens{}, err
	}
	e := store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK}
	session, user, err := p.startSession(g, receipt, credential, secret, &e)
	if err != nil {
		p.cfg.Audit.Drop(e)
		return engine.Tokens{}, err
	}
	if result.Rehash {
		p.rehash(g, user, secret)
	}
	p.lookUp(g, &user, secret)
	g.signIn = signIn{at: session.StartedAt, amr: []string{"pwd"}}
	issued, err := g.issue(&user, &session)
	if err != nil {
		p.abandon(g, session)
		p.cfg.Audit.Drop(e)
		return engine.Tokens{}, err
	}
	p.cfg.Audit.Change(g.Request, e)
	if slices.Contains(g.client.Grants, syntax.GrantRefreshToken) {
		begun := token.Refresh{UserID: user.ID, SessionID: session.ID, AuthTime: session.StartedAt, Scope: g.scope}
		if len(g.client.Audiences) > 0 || len(g.Form.Resources) > 0 { // else it follows the server's default
			begun.Audience = g.audience
		}
		issued.Refresh = p.cfg.Sealer.Seal(begun, g.client.ID)
	}
	return issued, nil
}

// checkPassword takes places in the throttle, then hashes or asks the upstream, then looks at the result. The receipt is
// of the places, which the caller gives back.
func (p *passwordGrant) checkPassword(g *grantRequest, typed, name, secret string) (store.Receipt, store.Credential, password.Result, error) {
	receipt, credential, err := p.beginLogin(g, name, secret)
	if err != nil {
		return receipt, credential, password.Result{}, err
	}
	if !credential.UserID.IsZero() {
		g.Subject, g.Username = credential.UserID.String(), name
	}
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	if p.cfg.Upstream.Asks(typed, credential) {
		credential, err = p.askUpstream(g, receipt, upstream.Login{Typed: typed, Password: secret, Draw: p.cfg.Throttle.Draw(name), Credential: credential})
		return receipt, credential, password.Result{Match: err == nil}, err
	}
	result, err := p.cfg.Passwords.VerifyFor(waiting, p.cfg.Throttle.Draw(name), credential.PasswordHash, secret)
	if !p.cfg.Passwords.Sampled(credential.PasswordHash) {
		p.cfg.Hashes.Want()
	}
	switch {
	case errors.Is(err, hash.ErrFormat):
		p.cfg.Log.WarnContext(g.Context(), "a user's password hash cannot be used; set a new password, or raise the limits of imported hashes if they are why",
			slog.String("sub", g.Subject), slog.Any("error", err))
	case err != nil:
		p.releaseAttempt(g, receipt)
		return receipt, credential, result, edge.Unavailable(err)
	}
	if !result.Match || credential.Disabled {
		p.failAttempt(g, receipt)
		p.cfg.Upstream.Pause(waiting)
		return receipt, credential, result, p.refuseLogin(g, refusal(credential))
	}
	return receipt, credential, result, nil
}

// askUpstream is checkPassword for a user whose password is not here.
func (p *passwordGrant) askUpstream(g *grantRequest, receipt store.Receipt, in upstream.Login) (store.Credential, error) {
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	result, err := p.cfg.Upstream.Check(waiting, g.Request, in)
	switch {
	case err != nil:
		p.releaseAttempt(g, receipt)
		return result.Credential, edge.Unavailable(err)
	case !result.Match || result.Credential.Disabled:
		p.failAttempt(g, receipt)
		return result.Credential, p.refuseLogin(g, cmp.Or(result.Reason, refusal(result.Credential)))
	}
	return result.Credential, nil
}

// beginLogin asks the throttle and looks for the user.
func (p *passwordGrant) beginLogin(g *grantRequest, name, secret string) (store.Receipt, store.Credential, error) {
	var id store.AttemptID
	rand.Read(id[:])
	attempt := p.cfg.Throttle.Login(p.cfg.Settings().Throttle, id, name, secret, g.Address)
	admission, credential, err := p.cfg.Store.BeginLogin(g.Context(), g.Begun, attempt, name)
	if err != nil {
		// It is not known whether places were taken. The attempt's id finds them if they were, and nothing else.
		p.releaseAttempt(g, store.Receipt{Attempt: attempt})
		return store.Receipt{}, credential, edge.Unavailable(err)
	}
	p.noteReached(g, admission.Reached)
	switch {
	case admission.Wait > 0:
		p.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeThrottled})
		return store.Receipt{}, credential, edge.SlowDown(admission.Wait)
	case admission.Busy:
		return store.Receipt{}, credential, edge.Crowded()
	}
	return admission.Receipt, credential, nil
}

// releaseAttempt gives back the places of an attempt that neither failed nor succeeded. An error only means
// that they count as failures later.
func (p *passwordGrant) releaseAttempt(g *grantRequest, r store.Receipt) {
	ctx, cancel := afterwards(g.Context())
	defer cancel()
	if err := p.cfg.Store.Refund(ctx, p.cfg.Now(), r); err != nil {
		p.cfg.Log.WarnContext(ctx, "giving back a login attempt; it counts as failed later", slog.Any("error", err))
	}
}

// failAttempt counts a wrong password. After an error its places count later.
func (p *passwordGrant) failAttempt(g *grantRequest, r store.Receipt) {
	ctx, cancel := afterwards(g.Context())
	defer cancel()
	reached, err := p.cfg.Store.Fail(ctx, p.cfg.Now(), r)
	if err != nil {
		p.cfg.Log.WarnContext(ctx, "counting a failed login; it counts later", slog.Any("error", err))
		return
	}
	p.noteReached(g, reached)
}

// afterwards is a context for what has to be done although the request's time may be over.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterwardsWithin)
}

const afterwardsWithin = 2 * time.Second

// noteReached records, once for each time that the limit is reached, that new networks share a trickle of
// tries for the account.
func (p *passwordGrant) noteReached(g *grantRequest, reached []string) {
	if !slices.Contains(reached, throttle.KindAnywhere) {
		return
	}
	p.underAttack.Inc()
	e := store.Event{Type: store.EventUnderAttack, Outcome: store.OutcomeOK}
	if g.Subject != "" {
		p.cfg.Audit.Change(g.Request, e)
		return
	}
	p.cfg.Audit.Refused(g.Request, e) // unknown names can be made up without end
}

func (p *passwordGrant) refuseLogin(g *grantRequest, why string) error {
	p.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: why}})
	return errInvalidLogin.Because("%s", why)
}

// refusal is the true reason, for the operator.
func refusal(c store.Credential) string {
	switch {
	case c.UserID.IsZero():
		return "no such user"
	case c.Disabled:
		return "user is disabled"
	case c.Move == store.MovePending:
		return "user has not moved from the upstream"
	case c.Move == store.MoveStay:
		return "password of the user is at the upstream"
	case c.PasswordHash == "":
		return "user has no password"
	}
	return "wrong password"
}

// rehash brings a hash that is weaker than the policy up to it, now that the password is at hand.
// It must not spoil the login: what fails is tried again at the next one.
func (p *passwordGrant) rehash(g *grantRequest, user store.User, secret string) {
	ctx := g.Context()
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	stronger, err := p.cfg.Passwords.HashAccepted(waiting, user.PasswordHash, secret)
	if err == nil {
		_, err = p.cfg.Store.UpdateUser(ctx, user.ID, func(u *store.User) error {
			if u.PasswordHash == user.PasswordHash { // else a new password was set meanwhile
				u.PasswordHash = stronger
			}
			return nil
		})
	}
	if err != nil {
		p.cfg.Log.WarnContext(ctx, "strengthening a password hash; the next login tries again",
			slog.String("sub", user.ID.String()), slog.Any("error", err))
	}
}

// lookUp marks a user whose password is in a list of breached ones, and removes the mark when it is not any more. Nobody is
// kept out: the responses to the app have the mark, and so has the list of users.
func (p *passwordGrant) lookUp(g *grantRequest, user *store.User, secret string) {
	look := p.cfg.Settings().Breached
	text, err := password.Normalize(secret)
	if look == nil || err != nil {
		return
	}
	ctx := g.Context()
	breached, err := look(text)
	if err == nil && breached != user.Breached {
		epoch := user.Epoch
		user.Breached = breached
		_, err = p.cfg.Store.UpdateUser(ctx, user.ID, func(u *store.User) error {
			if u.Epoch == epoch { // else a new password was set meanwhile
				u.Breached = breached
			}
			return nil
		})
	}
	if err != nil {
		p.cfg.Log.WarnContext(ctx, "looking a password up in the list of breached ones; the next login tries again",
			slog.String("sub", user.ID.String()), slog.Any("error", err))
	}
}

// startSession forgets the account's failures from here and begins the session, with the event e.
func (p *passwordGrant) startSession(g *grantRequest, receipt store.Receipt, checked store.Credential, secret string,
	e *store.Event) (store.Session, store.User, error) {
	fresh := store.Session{UserID: checked.UserID, ClientID: g.client.ID, ClientEpoch: g.client.Epoch, Address: store.NetworkOf(g.Address),
		StartedAt: laterOf(p.cfg.Now(), g.client.NotBefore)}
	rand.Read(fresh.ID[:])
	set := p.cfg.Settings()
	g.Changing, e.SessionID = store.EventLogin, fresh.ID.String()
	begun, err := p.cfg.Store.FinishLogin(p.cfg.Audit.WithEvent(g.Request, e), p.cfg.Now(), receipt, fresh,
		store.SessionLimits{PerUser: set.SessionsPerUser, Absolute: set.Lifetimes.Absolute})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDisabled):
		return store.Session{}, store.User{}, p.refuseLogin(g, "user went away during the login: "+err.Error())
	case err != nil:
		p.releaseAttempt(g, receipt) // a right password, whatever became of the session
		return store.Session{}, store.User{}, edge.Unavailable(err)
	}
	session, user := begun.Session, begun.User
	p.cfg.Clients.Learn(begun.ClientsVersion)
	if err := p.stillServed(g, session); err != nil {
		return store.Session{}, store.User{}, err
	}
	if user.PasswordHash != checked.PasswordHash || user.Epoch != checked.Epoch {
		if err := p.checkAgain(g, session, user, secret); err != nil {
			return store.Session{}, store.User{}, err
		}
	}
	g.SessionID = session.ID.String()
	return session, user, nil
}

// abandon ends a session whose tokens could not be signed: the tokens do not exist, and repeated tries must
// not crowd out the user's other sessions.
func (p *passwordGrant) abandon(g *grantRequest, session store.Session) {
	if _, err := p.cfg.Store.RevokeSession(context.WithoutCancel(g.Context()), session.UserID, session.ID); err != nil {
		p.cfg.Log.WarnContext(g.Context(), "ending a session that began without tokens", slog.Any("error", err))
	}
}

// checkAgain is for a user who was changed while the login was under way. A stronger hash of the same password, or a
// sign-out everywhere, is fine. Another password is not.
func (p *passwordGrant) checkAgain(g *grantRequest, session store.Session, user store.User, secret string) error {
	if user.PasswordHash == "" && (user.Move == store.MovePending || user.Move == store.MoveStay) {
		return nil // signed out everywhere; the password is not here, and the upstream has just accepted it
	}
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	result, err := p.cfg.Passwords.Verify(waiting, user.PasswordHash, secret)
	if err == nil && result.Match {
		return nil
	}
	if _, revokeErr := p.cfg.Store.RevokeSession(context.WithoutCancel(g.Context()), user.ID, session.ID); revokeErr != nil {
		return edge.Unavailable(revokeErr)
	}
	if err != nil && !errors.Is(err, hash.ErrFormat) {
		return edge.Unavailable(err)
	}
	return p.refuseLogin(g, "password was changed during the login")
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
