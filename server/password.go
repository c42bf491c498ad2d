package server

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signet/server/password"
	"signet/store"
)

// maxUsername is in bytes. Longer names cannot exist and are refused before any work.
const maxUsername = 320

// login is the password grant (RFC 6749 §4.3): who is it, is the password right, and a new session.
// An unknown user, a wrong password and a disabled user get the same answer after the same work.
func (s *Server) login(g *granting) (access, refresh string, ttl time.Duration, err error) {
	typed, secret := g.form.get("username"), g.form.get("password")
	switch {
	case typed == "" || secret == "":
		return "", "", 0, invalidRequest("username and password are both needed")
	case len(typed) > maxUsername:
		return "", "", 0, invalidRequest("username is too long")
	}
	name, err := password.CanonicalUsername(typed)
	if err != nil {
		name = typed // nobody has it, but it is counted and costs the same
	}
	user, err := s.checkPassword(g, name, secret)
	if err != nil {
		return "", "", 0, err
	}
	session, user, err := s.startSession(g, user)
	if err != nil {
		return "", "", 0, err
	}
	s.audit.add(g.call, event{Type: "login", Outcome: "ok"})
	if access, ttl, err = s.issueAccessToken(g, &user, &session); err != nil {
		return "", "", 0, err
	}
	if slices.Contains(g.client.Grants, grantRefreshToken) {
		token := refreshToken{UserID: user.ID, SessionID: session.ID, AuthTime: session.StartedAt, Scope: g.scope}
		if len(g.client.Audiences) > 0 || len(g.form.resources) > 0 { // else it follows the server's default
			token.Audience = g.audience
		}
		refresh = s.sealer.Seal(token, g.client.ID)
	}
	return access, refresh, ttl, nil
}

// checkPassword counts the attempt, then hashes, then looks at the result.
func (s *Server) checkPassword(g *granting, name, secret string) (store.User, error) {
	ctx := g.Context()
	wait, err := s.store.Take(ctx, g.begun, s.throttle.loginBuckets(s.settings().Throttle, name, secret, g.address))
	if err != nil {
		return store.User{}, unavailable(err)
	}
	if wait > 0 {
		s.audit.add(g.call, event{Type: "login", Outcome: "throttled"})
		return store.User{}, slowDown(wait)
	}
	user, err := s.store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.giveBack(ctx, name, g, false)
		return store.User{}, unavailable(err)
	}
	result, err := s.cfg.Passwords.Verify(ctx, user.PasswordHash, secret)
	switch {
	case errors.Is(err, password.ErrFormat):
		s.log.WarnContext(ctx, "a user's password hash cannot be read; set a new password", slog.String("sub", user.ID.String()))
	case err != nil:
		s.giveBack(ctx, name, g, false)
		return store.User{}, unavailable(err)
	}
	if !result.Match || user.Disabled {
		if !user.ID.IsZero() {
			g.subject = user.ID.String()
		}
		s.audit.add(g.call, event{Type: "login", Outcome: "refused", Detail: map[string]string{"reason": refusal(user)}})
		return store.User{}, errInvalidLogin.because("%s", refusal(user))
	}
	s.giveBack(ctx, name, g, true)
	if result.Rehash {
		s.rehash(ctx, user, secret)
	}
	return user, nil
}

// refusal is the true reason, for the operator.
func refusal(user store.User) string {
	switch {
	case user.ID.IsZero():
		return "no such user"
	case user.Disabled:
		return "user is disabled"
	case user.PasswordHash == "":
		return "user has no password"
	}
	return "wrong password"
}

// giveBack undoes the count of an attempt that did not fail; a right password also forgets the
// account's failures from here. The caller may have hung up by now; that must not leave a count
// behind. An error only means that somebody may have to wait a little.
func (s *Server) giveBack(ctx context.Context, name string, g *granting, right bool) {
	account, network := s.throttle.accountKey(name, g.address), s.throttle.networkKey(g.address)
	var clear []string
	refund := []string{network}
	if right {
		clear = []string{account}
	} else {
		refund = append(refund, account)
	}
	if err := s.store.Forgive(context.WithoutCancel(ctx), clear, refund); err != nil {
		s.log.WarnContext(ctx, "giving back a login attempt", slog.Any("error", err))
	}
}

// rehash brings a hash that is weaker than the policy up to it, now that the password is at hand.
// It must not spoil the login: what fails is tried again at the next one.
func (s *Server) rehash(ctx context.Context, user store.User, secret string) {
	stronger, err := s.cfg.Passwords.Hash(ctx, secret)
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

func (s *Server) startSession(g *granting, user store.User) (store.Session, store.User, error) {
	fresh := store.Session{UserID: user.ID, ClientID: g.client.ID, StartedAt: laterOf(s.now(), g.client.NotBefore)}
	randomBytes(fresh.ID[:])
	session, current, err := s.store.StartSession(g.Context(), fresh, s.settings().SessionsPerUser)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDisabled):
		return store.Session{}, store.User{}, errInvalidLogin.because("user went away during the login: %w", err)
	case err != nil:
		return store.Session{}, store.User{}, unavailable(err)
	}
	if current.PasswordHash != user.PasswordHash && passwordChanged(user, current) {
		_, err := s.store.RevokeSession(g.Context(), user.ID, session.ID)
		if err != nil {
			return store.Session{}, store.User{}, unavailable(err)
		}
		return store.Session{}, store.User{}, errInvalidLogin.because("password was changed during the login")
	}
	g.subject, g.session = current.ID.String(), session.ID
	return session, current, nil
}

// passwordChanged tells a new password, which moves NotBefore, from a rehash of the same one.
func passwordChanged(before, now store.User) bool { return now.NotBefore.After(before.NotBefore) }

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
