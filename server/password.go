package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/throttle"
	"signet/server/token"
	"signet/store"
)

// maxUsername is in bytes. Longer names cannot exist and are refused before any work.
const maxUsername = 320

// login is the password grant (RFC 6749 §4.3): who is it, is the password right, and a new session.
// An unknown user, a wrong password and a disabled user get the same answer after the same work.
func (s *Server) login(g *granting) (access, refresh string, ttl time.Duration, err error) {
	typed, secret := g.Form.Get("username"), g.Form.Get("password")
	switch {
	case typed == "" || secret == "":
		return "", "", 0, edge.InvalidRequest("username and password are both needed")
	case len(typed) > maxUsername:
		return "", "", 0, edge.InvalidRequest("username is too long")
	}
	name, err := s.storedName(g.Context(), password.TrimUsername(typed))
	switch {
	case errors.Is(err, password.ErrUsername):
		name = typed // nobody has it, but it is counted and costs the same
	case err != nil:
		return "", "", 0, edge.Unavailable(err)
	}
	g.TypedName = name
	receipt, credential, result, err := s.checkPassword(g, name, secret)
	if err != nil {
		return "", "", 0, err
	}
	e := store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK}
	session, user, err := s.startSession(g, receipt, credential, secret, &e)
	if err != nil {
		s.audit.Drop(e)
		return "", "", 0, err
	}
	if result.Rehash {
		s.rehash(g, user, secret)
	}
	if access, ttl, err = s.issue(g, &user, &session); err != nil {
		s.abandon(g, session)
		s.audit.Drop(e)
		return "", "", 0, err
	}
	s.audit.Change(g.Request, e)
	if slices.Contains(g.client.Grants, grantRefreshToken) {
		begun := token.Refresh{UserID: user.ID, SessionID: session.ID, AuthTime: session.StartedAt, Scope: g.scope}
		if len(g.client.Audiences) > 0 || len(g.Form.Resources) > 0 { // else it follows the server's default
			begun.Audience = g.audience
		}
		refresh = s.sealer.Seal(begun, g.client.ID)
	}
	return access, refresh, ttl, nil
}

// checkPassword takes places in the throttle, then hashes, then looks at the result. The receipt is of the
// places, which the caller gives back.
func (s *Server) checkPassword(g *granting, name, secret string) (store.Receipt, store.Credential, password.Result, error) {
	receipt, credential, err := s.beginLogin(g, name, secret)
	if err != nil {
		return receipt, credential, password.Result{}, err
	}
	if !credential.UserID.IsZero() {
		g.Subject, g.Username = credential.UserID.String(), name
	}
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	result, err := s.cfg.Passwords.VerifyFor(waiting, s.throttle.Draw(name), credential.PasswordHash, secret)
	if !s.cfg.Passwords.Sampled(credential.PasswordHash) {
		s.hashes.want()
	}
	switch {
	case errors.Is(err, password.ErrFormat):
		s.log.WarnContext(g.Context(), "a user's password hash cannot be used; set a new password, or raise the limits of imported hashes if they are why",
			slog.String("sub", g.Subject), slog.Any("error", err))
	case err != nil:
		s.releaseAttempt(g, receipt)
		return receipt, credential, result, edge.Unavailable(err)
	}
	if !result.Match || credential.Disabled {
		s.failAttempt(g, receipt)
		return receipt, credential, result, s.refuseLogin(g, refusal(credential))
	}
	return receipt, credential, result, nil
}

// beginLogin asks the throttle and looks for the user.
func (s *Server) beginLogin(g *granting, name, secret string) (store.Receipt, store.Credential, error) {
	var id store.AttemptID
	randomBytes(id[:])
	attempt := s.throttle.Login(s.settings().Throttle, id, name, secret, g.Address)
	admission, credential, err := s.store.BeginLogin(g.Context(), g.Begun, attempt, name)
	if err != nil {
		// It is not known whether places were taken. The attempt's id finds them if they were, and nothing else.
		s.releaseAttempt(g, store.Receipt{Attempt: attempt})
		return store.Receipt{}, credential, edge.Unavailable(err)
	}
	s.noteReached(g, admission.Reached)
	switch {
	case admission.Wait > 0:
		s.audit.Refused(g.Request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeThrottled})
		return store.Receipt{}, credential, edge.SlowDown(admission.Wait)
	case admission.Busy:
		return store.Receipt{}, credential, edge.Crowded()
	}
	return admission.Receipt, credential, nil
}

// releaseAttempt gives back the places of an attempt that neither failed nor succeeded. An error only means
// that they count as failures later.
func (s *Server) releaseAttempt(g *granting, r store.Receipt) {
	ctx, cancel := afterwards(g.Context())
	defer cancel()
	if err := s.store.Refund(ctx, s.now(), r); err != nil {
		s.log.WarnContext(ctx, "giving back a login attempt; it counts as failed later", slog.Any("error", err))
	}
}

// failAttempt counts a wrong password. After an error its places count later.
func (s *Server) failAttempt(g *granting, r store.Receipt) {
	ctx, cancel := afterwards(g.Context())
	defer cancel()
	reached, err := s.store.Fail(ctx, s.now(), r)
	if err != nil {
		s.log.WarnContext(ctx, "counting a failed login; it counts later", slog.Any("error", err))
		return
	}
	s.noteReached(g, reached)
}

// afterwards is a context for what has to be done although the request's time may be over.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterwardsWithin)
}

const afterwardsWithin = 2 * time.Second

// noteReached records, once for each time that the limit is reached, that new networks share a trickle of
// tries for the account.
func (s *Server) noteReached(g *granting, reached []string) {
	if !slices.Contains(reached, throttle.KindAnywhere) {
		return
	}
	s.metrics.underAttack.Inc()
	e := store.Event{Type: store.EventUnderAttack, Outcome: store.OutcomeOK}
	if g.Subject != "" {
		s.audit.Change(g.Request, e)
		return
	}
	s.audit.Refused(g.Request, e) // names that nobody has can be made up without end
}

func (s *Server) refuseLogin(g *granting, why string) error {
	s.audit.Refused(g.Request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: why}})
	return errInvalidLogin.Because("%s", why)
}

// refusal is the true reason, for the operator.
func refusal(c store.Credential) string {
	switch {
	case c.UserID.IsZero():
		return "no such user"
	case c.Disabled:
		return "user is disabled"
	case c.PasswordHash == "":
		return "user has no password"
	}
	return "wrong password"
}

// rehash brings a hash that is weaker than the policy up to it, now that the password is at hand.
// It must not spoil the login: what fails is tried again at the next one.
func (s *Server) rehash(g *granting, user store.User, secret string) {
	ctx := g.Context()
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	stronger, err := s.cfg.Passwords.Hash(waiting, secret)
	if err == nil {
		_, err = s.store.UpdateUser(ctx, user.ID, func(u *store.User) error {
			if u.PasswordHash == user.PasswordHash { // else somebody has just set a new password
				u.PasswordHash = stronger
			}
			return nil
		})
	}
	if err != nil {
		s.log.WarnContext(ctx, "strengthening a password hash; the next login tries again",
			slog.String("sub", user.ID.String()), slog.Any("error", err))
	}
}

// startSession forgets the account's failures from here and begins the session, with the event e.
func (s *Server) startSession(g *granting, receipt store.Receipt, checked store.Credential, secret string, e *store.Event) (store.Session, store.User, error) {
	fresh := store.Session{UserID: checked.UserID, ClientID: g.client.ID, ClientEpoch: g.client.Epoch, Address: store.NetworkOf(g.Address),
		StartedAt: laterOf(s.now(), g.client.NotBefore)}
	randomBytes(fresh.ID[:])
	set := s.settings()
	g.Changing, e.SessionID = store.EventLogin, fresh.ID.String()
	begun, err := s.store.FinishLogin(s.audit.WithEvent(g.Request, e), s.now(), receipt, fresh, store.Bounds{PerUser: set.SessionsPerUser, Absolute: set.Lifetimes.Absolute})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDisabled):
		return store.Session{}, store.User{}, s.refuseLogin(g, "user went away during the login: "+err.Error())
	case err != nil:
		s.releaseAttempt(g, receipt) // a right password, whatever became of the session
		return store.Session{}, store.User{}, edge.Unavailable(err)
	}
	session, user := begun.Session, begun.User
	s.clients.Learn(begun.ClientsVersion)
	if err := s.stillServed(g, session); err != nil {
		return store.Session{}, store.User{}, err
	}
	if user.PasswordHash != checked.PasswordHash || user.Epoch != checked.Epoch {
		if err := s.checkAgain(g, session, user, secret); err != nil {
			return store.Session{}, store.User{}, err
		}
	}
	g.SessionID = session.ID.String()
	return session, user, nil
}

// abandon ends a session whose tokens could not be signed: nobody has them, and repeated tries must
// not crowd out the user's other sessions.
func (s *Server) abandon(g *granting, session store.Session) {
	if _, err := s.store.RevokeSession(context.WithoutCancel(g.Context()), session.UserID, session.ID); err != nil {
		s.log.WarnContext(g.Context(), "ending a session that began without tokens", slog.Any("error", err))
	}
}

// checkAgain is for a user who was changed while the login was under way: who got a stronger hash of
// the same password or was signed out everywhere, which is fine, or has another password.
func (s *Server) checkAgain(g *granting, session store.Session, user store.User, secret string) error {
	waiting, cancel := g.WhileCallerWaits()
	defer cancel()
	result, err := s.cfg.Passwords.Verify(waiting, user.PasswordHash, secret)
	if err == nil && result.Match {
		return nil
	}
	if _, revokeErr := s.store.RevokeSession(context.WithoutCancel(g.Context()), user.ID, session.ID); revokeErr != nil {
		return edge.Unavailable(revokeErr)
	}
	if err != nil && !errors.Is(err, password.ErrFormat) {
		return edge.Unavailable(err)
	}
	return s.refuseLogin(g, "password was changed during the login")
}

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// stillServed looks at the client once more, after the step that has begun or carried on the session:
// a client that was disabled, deleted or made anew meanwhile gets nothing, and the session ends.
func (s *Server) stillServed(g *granting, session store.Session) error {
	ok, err := s.clients.Unchanged(g.Context(), g.client)
	switch {
	case err != nil:
		return edge.Unavailable(err)
	case ok:
		return nil
	}
	if _, err := s.store.RevokeSession(g.Context(), session.UserID, session.ID); err != nil {
		return edge.Unavailable(err)
	}
	return clientauth.ErrInvalidClient.Because("the client was changed during the request")
}
