package server

import (
	"context"
	"errors"
	"time"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/server/edge"
	"signet/store"
)

// liveToken is an access token of ours that is good at this moment, with what stands behind it.
type liveToken struct {
	claims accessClaims
	client *store.Client
	user   *store.User // nil for a token of the client credentials grant
}

var errTokenNotLive = errors.New("token is not live")

// checkAccessToken is the one predicate for "this access token is good now"; introspection,
// userinfo, revocation and the admin listener all ask it. The error wraps errTokenNotLive, with the
// reason for the log, or says that the store could not be asked.
func (s *Server) checkAccessToken(ctx context.Context, raw string) (*liveToken, error) {
	return s.checkAccessTokenOf(ctx, raw, s.clients.Get)
}

// checkAccessTokenOf is checkAccessToken with another way to find the token's client.
func (s *Server) checkAccessTokenOf(ctx context.Context, raw string, find func(ctx context.Context, id string) (*store.Client, error)) (*liveToken, error) {
	t := &liveToken{}
	kid, err := s.cfg.Keys.Verify(raw, accessTokenType, &t.claims)
	if errors.Is(err, keys.ErrStale) || errors.Is(err, clockcheck.ErrClock) {
		return nil, edge.Unavailable(err)
	}
	if errors.Is(err, keys.ErrUnreadable) {
		s.metrics.unreadable.Inc()
		s.log.ErrorContext(ctx, "an access token that was signed here cannot be read, and counts as inactive; report this with the claims that its client is given")
	}
	if err != nil {
		return nil, notLive("%w", err)
	}
	now := s.now()
	switch {
	case t.claims.Issuer != s.cfg.Issuer:
		return nil, notLive("issued by somebody else, with key %s", kid)
	case now.Unix() >= t.claims.ExpiresAt:
		return nil, notLive("expired")
	case t.claims.ID == "" || t.claims.ClientID == "":
		return nil, notLive("lacks jti or client_id")
	}
	if t.client, err = find(ctx, t.claims.ClientID); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil, notLive("its client is gone")
		}
		return nil, edge.Unavailable(err)
	}
	if t.client.Disabled || t.claims.IssuedAt < t.client.NotBefore.Unix() {
		return nil, notLive("its client was disabled")
	}
	if t.claims.SessionID == "" {
		if err := s.confirmEpoch(ctx, t, t.claims.ClientEpoch); err != nil {
			return nil, err
		}
	}
	return t, s.checkTokenState(ctx, t, now)
}

func (s *Server) checkTokenState(ctx context.Context, t *liveToken, now time.Time) error {
	ref, err := tokenRef(&t.claims)
	if err != nil {
		return notLive("%w", err)
	}
	state, err := s.store.TokenState(ctx, ref)
	switch {
	case err != nil:
		return edge.Unavailable(err)
	case state.Revoked:
		return notLive("revoked by its jti")
	case ref.UserID.IsZero():
		return nil
	case !state.Live:
		return notLive("its session has ended")
	case state.Session.ClientID != t.client.ID:
		return notLive("its session is another client's")
	}
	if err := s.confirmEpoch(ctx, t, state.Session.ClientEpoch); err != nil {
		return err
	}
	if why := s.sessionEnded(state.Session, &state.User, t.client, now); why != "" {
		return notLive("%s", why)
	}
	t.user = &state.User
	return nil
}

// confirmEpoch compares the epoch of the client that the token or its session began in with the
// client's. One that is later shows that the cache is behind, and the client is read again.
func (s *Server) confirmEpoch(ctx context.Context, t *liveToken, epoch uint32) (err error) {
	if epoch > t.client.Epoch {
		if t.client, err = s.clients.reread(ctx, t.client.ID); errors.Is(err, store.ErrNotFound) {
			return notLive("its client is gone")
		}
		if err != nil {
			return edge.Unavailable(err)
		}
	}
	if epoch != t.client.Epoch || t.client.Disabled {
		return notLive("its client was disabled, made anew, or signed out everywhere")
	}
	return nil
}

// sessionEnded says why a session that is still on record is over, or "".
func (s *Server) sessionEnded(session store.Session, user *store.User, client *store.Client, now time.Time) string {
	switch {
	case user.Disabled:
		return "its user is disabled"
	case session.UserEpoch != user.Epoch, session.ClientEpoch != client.Epoch,
		session.StartedAt.Before(user.NotBefore), session.StartedAt.Before(client.NotBefore):
		return "its session was revoked"
	case s.settings().Lifetimes.Ended(session, now):
		return "its session is over"
	}
	return ""
}

// tokenRef names the token to the store. A token has a user and a session, or neither.
func tokenRef(claims *accessClaims) (store.TokenRef, error) {
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

// notLive is errTokenNotLive with a reason.
func notLive(format string, args ...any) error {
	return &notLiveError{errInvalidToken.Because(format, args...)}
}

// notLiveError is the answer of a protected resource (RFC 6750 §3.1) and at the same time
// errTokenNotLive, for the endpoints that answer otherwise.
type notLiveError struct{ refused *edge.Error }

func (e *notLiveError) Error() string        { return e.refused.Error() }
func (e *notLiveError) Is(target error) bool { return target == errTokenNotLive }
func (e *notLiveError) Unwrap() error        { return e.refused }
