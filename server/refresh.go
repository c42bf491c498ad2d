package server

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/token"
	"signet/store"
)

// openPresented opens the refresh token for the authenticated client and settles what a refresh may
// give, without touching the session: a refused request consumes nothing (RFC 6749 §6).
func (s *Server) openPresented(g *granting) error {
	presented := g.Form.Get("refresh_token")
	if presented == "" {
		return edge.InvalidRequest("refresh_token is missing")
	}
	opened, err := s.sealer.Open(presented, g.client.ID)
	if err != nil {
		s.audit.Refused(g.Request, store.Event{Type: store.EventRefresh, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: err.Error()}})
		return errInvalidRefreshToken.Because("%w", err)
	}
	g.presented = opened
	g.Subject, g.SessionID = opened.UserID.String(), opened.SessionID.String()
	if why := s.withdrawn(g.client, g.presented); why != "" {
		return s.endSession(g, why)
	}
	g.scope, g.audience = api.Ordinary(opened.Scope), s.stillAllowed(g.client, g.presented)
	return nil
}

// checkNarrowing settles a refresh that asks for less than the login was given. The refresh token
// keeps the login's own scope: narrowing is for this access token only.
func (s *Server) checkNarrowing(g *granting) (err error) {
	if g.scope, err = chooseScope(g.Form.Get("scope"), api.Ordinary(g.presented.Scope)); err != nil {
		return err
	}
	g.audience, err = chooseAudience(g.Form.Resources, g.audience)
	return err
}

// withdrawn says which of the session's foundations the client has lost since the login, or "". Refresh
// and introspection both ask it.
func (s *Server) withdrawn(client *store.Client, presented token.Refresh) string {
	switch {
	case !slices.Contains(client.Grants, grantPassword):
		return "the client has lost the password grant"
	case presented.Scope != "" && !within(presented.Scope, client.Scopes):
		return "the client has lost a scope of the session"
	case len(s.stillAllowed(client, presented)) == 0:
		return "the client has lost the audience of the session"
	}
	return ""
}

// stillAllowed is what is left of the session's audience. A session that was for the server's
// default follows it: an operator who changes the default signs nobody out.
func (s *Server) stillAllowed(client *store.Client, presented token.Refresh) []string {
	allowed := s.audienceOf(client)
	if len(presented.Audience) == 0 {
		return allowed
	}
	var still []string
	for _, aud := range presented.Audience {
		if slices.Contains(allowed, aud) {
			still = append(still, aud)
		}
	}
	return still
}

func (s *Server) endSession(g *granting, why string) error {
	s.beginRefresh(g)
	e := ended(why)
	existed, err := s.store.RevokeSession(s.audit.WithEvent(g.Request, &e), g.presented.UserID, g.presented.SessionID)
	if err != nil {
		return edge.Unavailable(err)
	}
	s.recordEnded(g, existed, e)
	return errInvalidRefreshToken.Because("%s", why)
}

// beginRefresh notes that the session may move on from now on: if a dependency fails, the app should come again
// within the grace window, where it is answered the same successor.
func (s *Server) beginRefresh(g *granting) {
	g.Changing, g.RetryBefore = store.EventRefresh, g.Begun.Add(s.settings().Grace)
}

// ended is the event of a refresh that has ended the session.
func ended(why string) store.Event {
	return store.Event{Type: store.EventRefresh, Outcome: store.Revoked.String(), Detail: map[string]string{store.DetailReason: why}}
}

// recordEnded records a refresh whose session is over. That it ends the session happens once; the app can
// come again with the same token as often as it likes.
func (s *Server) recordEnded(g *granting, existed bool, e store.Event) {
	if existed {
		s.audit.RateLimited(g.Request, e)
		return
	}
	e.Outcome = store.Gone.String()
	s.audit.Refused(g.Request, e)
}

// refresh is the refresh token grant (RFC 6749 §6): one atomic step in the store decides, and what
// follows it can only fail into a 503 whose retry finds the same successor. A remote key, which may
// well fail, signs before that step.
func (s *Server) refresh(g *granting) (access, refresh string, ttl time.Duration, err error) {
	if s.cfg.Keys.Remote() {
		if access, ttl, err = s.signAhead(g); err != nil {
			return "", "", 0, err
		}
	}
	s.beginRefresh(g)
	session, user, outcome, err := s.rotate(g)
	if err != nil {
		return "", "", 0, err
	}
	if err := s.recordRotation(g, session, outcome); err != nil {
		return "", "", 0, err
	}
	if err := s.stillServed(g, session); err != nil {
		return "", "", 0, err
	}
	if access == "" {
		if access, ttl, err = s.issue(g, &user, &session); err != nil {
			return "", "", 0, err
		}
	}
	successor := g.presented
	successor.Generation, g.Generation = session.Generation, session.Generation
	return access, s.sealer.Seal(successor, g.client.ID), ttl, nil
}

// recordRotation records an outcome that is recorded, and returns the answer to one that does not go on.
func (s *Server) recordRotation(g *granting, session store.Session, outcome store.Outcome) error {
	e := store.Event{}
	var changed bool
	if e.Type, e.Outcome, changed = outcome.Event(); changed {
		r := s.rotation(g)
		e.Outbox = r.Outbox()
	}
	switch outcome {
	case store.Rotated, store.Replayed:
		return nil
	case store.Late:
		e.Detail = map[string]string{"presented_generation": number(g.presented.Generation), "stored_generation": number(session.Generation - 1)}
		s.audit.Change(g.Request, e)
		return nil
	case store.Healed:
		s.log.WarnContext(g.Context(), "the store had lost a rotation; the session was moved on", slog.String("sid", session.ID.String()))
		s.audit.Change(g.Request, e)
		return nil
	case store.Reused:
		s.log.WarnContext(g.Context(), "a spent refresh token was used again; the session was ended", slog.String("sid", g.SessionID))
		e.Detail = reuseDetail(g, session, s.now())
		s.audit.Change(g.Request, e)
		return errInvalidRefreshToken.Because("reuse of generation %d", g.presented.Generation)
	case store.Ahead:
		s.log.WarnContext(g.Context(), "a refresh token is newer than its session, and the store has lost nothing that explains it", slog.String("sid", g.SessionID))
		s.audit.Refused(g.Request, store.Event{Type: store.EventRefresh, Outcome: g.Outcome})
		return errInvalidRefreshToken.Because("generation %d is newer than the session", g.presented.Generation)
	default:
		over := ended("session is " + g.Outcome)
		over.Outbox = e.Outbox
		s.recordEnded(g, changed, over)
		return errInvalidRefreshToken.Because("session is %s", outcome)
	}
}

// rotate asks the store. A session that began in a later epoch of the client than the one cached here
// shows that the cache is behind: the client is read again, and if it is the one that has been
// authenticated, the store is asked once more.
func (s *Server) rotate(g *granting) (store.Session, store.User, store.Outcome, error) {
	r := s.rotation(g)
	session, user, outcome, err := s.countedRotate(g, r)
	if err != nil || outcome != store.Stale {
		return session, user, outcome, err
	}
	client, err := s.clients.Reread(g.Context(), g.client.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Session{}, store.User{}, store.Gone, clientauth.ErrInvalidClient.Because("the client was deleted during the request")
	case err != nil:
		return store.Session{}, store.User{}, store.Gone, edge.Unavailable(err)
	case !sameCredentials(client, g.client):
		return store.Session{}, store.User{}, store.Gone, edge.Unavailable(errors.New("the client was changed during the request; its credentials are to be checked again"))
	}
	clientauth.Identify(g.Request, client)
	g.client, r.ClientEpoch, r.NotBefore, r.ClientConfirmed = client, client.Epoch, client.NotBefore, true
	return s.countedRotate(g, r)
}

func (s *Server) rotation(g *granting) store.Rotation {
	set := s.settings()
	return store.Rotation{
		UserID: g.presented.UserID, SessionID: g.presented.SessionID, ClientID: g.client.ID, Generation: g.presented.Generation,
		Now: s.now(), Lifetimes: set.Lifetimes, Grace: set.Grace, MaxReplays: set.MaxReplays, NotBefore: g.client.NotBefore,
		Late: min(set.Late, set.Lifetimes.Idle), ClientEpoch: g.client.Epoch, Address: g.Address, RequestID: g.ID,
	}
}

func (s *Server) countedRotate(g *granting, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	if known := s.loss.Load(); known != nil {
		r.Loss = *known
	}
	session, user, outcome, err := s.store.Rotate(g.Context(), r)
	if err == nil && outcome == store.Ahead {
		session, user, outcome, err = s.rotateAfterLoss(g, r)
	}
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, edge.Unavailable(err)
	}
	g.Username = user.Username // empty where there is no such user any more
	g.Outcome = outcome.String()
	s.metrics.rotations.WithLabelValues(g.Outcome).Inc()
	return session, user, outcome, nil
}

// rotateAfterLoss asks whether the store has lost writes that this replica has not been told of, and if so
// decides again.
func (s *Server) rotateAfterLoss(g *granting, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	loss, err := s.store.Loss(g.Context())
	if err != nil || loss == r.Loss {
		return store.Session{}, store.User{}, store.Ahead, err
	}
	s.loss.Store(&loss)
	r.Loss = loss
	return s.store.Rotate(g.Context(), r)
}

// sameCredentials reports whether what has authenticated one client authenticates the other.
func sameCredentials(a, b *store.Client) bool {
	return !a.Disabled && a.Public == b.Public && slices.Equal(a.AuthMethods, b.AuthMethods) && bytes.Equal(a.JWKS, b.JWKS) &&
		slices.EqualFunc(a.Secrets, b.Secrets, func(x, y store.Secret) bool { return bytes.Equal(x.Hash, y.Hash) })
}

// reuseDetail lets an operator tell a thief from an app that has lost an answer. session is as it was
// before the reuse ended it.
func reuseDetail(g *granting, session store.Session, now time.Time) map[string]string {
	predecessor, hasOne := session.Predecessor()
	detail := map[string]string{
		"presented_generation":   number(g.presented.Generation),
		"stored_generation":      number(session.Generation),
		"session_age_seconds":    wholeSeconds(now.Sub(session.StartedAt)),
		"since_rotation_seconds": wholeSeconds(now.Sub(session.RotatedAt)),
		"successor_used":         strconv.FormatBool(!hasOne || g.presented.Generation != predecessor),
	}
	if session.Address.IsValid() {
		detail["last_address"] = session.Address.String()
	}
	return detail
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(max(d, 0)/time.Second), 10) }

// signAhead signs the access token of a refresh before the session moves on: a signature that does
// not come then leaves the refresh token unspent, whatever the grace window is. The token goes out
// only if the step in the store says so. "" where there is no session: that step is going to say so.
func (s *Server) signAhead(g *granting) (access string, ttl time.Duration, err error) {
	state, err := s.store.TokenState(g.Context(), store.TokenRef{UserID: g.presented.UserID, SessionID: g.presented.SessionID})
	switch {
	case err != nil:
		return "", 0, edge.Unavailable(err)
	case !state.Live:
		return "", 0, nil
	}
	return s.issue(g, &state.User, &state.Session)
}
