package oauth

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/oauth/engine"
	"signet/server/signin"
	"signet/store"
)

// refreshGrant is the refresh token grant.
type refreshGrant struct {
	*shared
	loss atomic.Pointer[store.Loss] // the last one that the store has reported
}

// open opens the refresh token for the authenticated client and settles what a refresh may
// give, without touching the session: a refused request consumes nothing (RFC 6749 §6).
func (r *refreshGrant) open(g *grantRequest) error {
	presented := g.Form.Get("refresh_token")
	if presented == "" {
		return edge.InvalidRequest("refresh_token is missing")
	}
	opened, err := r.cfg.Sealer.Open(presented, g.client.ID)
	if err != nil {
		r.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventRefresh, Outcome: store.OutcomeRefused,
			Detail: map[string]string{store.DetailReason: err.Error()}})
		return errInvalidRefreshToken.Because("%w", err)
	}
	g.presented, g.signIn = opened, signIn{at: opened.AuthTime, amr: opened.AMR, acr: opened.ACR}
	if len(opened.AMR) == 0 && opened.ACR == "" { // a session of the password grant, whose refresh tokens earlier versions can read
		g.signIn.amr, g.signIn.acr = signin.AMRPassword(), signin.ACRPassword
	}
	g.Subject, g.SessionID = opened.UserID.String(), opened.SessionID.String()
	if why := r.revocationReason(g.client, g.presented); why != "" {
		return r.endSession(g, why)
	}
	g.scope, g.audience = api.Ordinary(opened.Scope), r.stillAllowed(g.client, g.presented)
	return nil
}

// checkNarrowing settles a refresh that asks for less than the login was given. The refresh token
// keeps the login's own scope: narrowing is for this access token only.
func (r *refreshGrant) checkNarrowing(g *grantRequest) (err error) {
	if g.scope, err = chooseScope(g.Form.Get("scope"), api.Ordinary(g.presented.Scope)); err != nil {
		return err
	}
	g.audience, err = chooseAudience(g.Form.Resources, g.audience)
	return err
}

func (r *refreshGrant) endSession(g *grantRequest, why string) error {
	r.begin(g)
	e := ended(why)
	existed, err := r.cfg.Store.RevokeSession(r.cfg.Audit.WithEvent(g.Request, &e), g.presented.UserID, g.presented.SessionID)
	if err != nil {
		return edge.Unavailable(err)
	}
	r.recordEnded(g, existed, e)
	return errInvalidRefreshToken.Because("%s", why)
}

// begin notes that the session may move on from now on: if a dependency fails, the app should come again
// within the grace window, where it is answered the same successor.
func (r *refreshGrant) begin(g *grantRequest) {
	g.Changing, g.RetryBefore = store.EventRefresh, g.Begun.Add(r.cfg.Settings().Grace)
}

// ended is the event of a refresh that has ended the session.
func ended(why string) store.Event {
	return store.Event{Type: store.EventRefresh, Outcome: store.Revoked.String(), Detail: map[string]string{store.DetailReason: why}}
}

// recordEnded records a refresh whose session is over. That it ends the session happens once; the app can
// come again with the same token as often as it likes.
func (r *refreshGrant) recordEnded(g *grantRequest, existed bool, e store.Event) {
	if existed {
		r.cfg.Audit.RateLimited(g.Request, e)
		return
	}
	e.Outcome = store.Gone.String()
	r.cfg.Audit.Refused(g.Request, e)
}

// refresh is the refresh token grant (RFC 6749 §6): one atomic step in the store decides, and what
// follows it can only fail into a 503 whose retry finds the same successor. A remote key, which may
// well fail, signs before that step.
func (r *refreshGrant) refresh(g *grantRequest) (issued engine.Tokens, err error) {
	if r.cfg.Keys.Remote() {
		if issued, err = r.signAhead(g); err != nil {
			return engine.Tokens{}, err
		}
	}
	r.begin(g)
	session, user, outcome, err := r.rotate(g)
	if err != nil {
		return engine.Tokens{}, err
	}
	if err := r.recordRotation(g, session, outcome); err != nil {
		return engine.Tokens{}, err
	}
	if err := r.cfg.SignIn.StillServed(g.Context(), g.client, session); err != nil {
		return engine.Tokens{}, err
	}
	if issued.Access == "" {
		if issued, err = g.issue(&user, &session); err != nil {
			return engine.Tokens{}, err
		}
	}
	successor := g.presented
	successor.Generation, g.Generation = session.Generation, session.Generation
	issued.Refresh = r.cfg.Sealer.Seal(successor, g.client.ID)
	return issued, nil
}

// recordRotation records an outcome that is recorded, and returns the answer to one that does not go on.
func (r *refreshGrant) recordRotation(g *grantRequest, session store.Session, outcome store.Outcome) error {
	e := store.Event{}
	var changed bool
	if e.Type, e.Outcome, changed = outcome.Event(); changed {
		asked := r.rotation(g)
		e.Outbox = asked.Outbox()
	}
	switch outcome {
	case store.Rotated, store.Replayed:
		return nil
	case store.Late:
		e.Detail = map[string]string{"presented_generation": number(g.presented.Generation), "stored_generation": number(session.Generation - 1)}
		r.cfg.Audit.Change(g.Request, e)
		return nil
	case store.Healed:
		r.cfg.Log.WarnContext(g.Context(), "the store had lost a rotation; the session was moved on", slog.String("sid", session.ID.String()))
		r.cfg.Audit.Change(g.Request, e)
		return nil
	case store.Reused:
		r.cfg.Log.WarnContext(g.Context(), "a spent refresh token was used again; the session was ended", slog.String("sid", g.SessionID))
		e.Detail = reuseDetail(g, session, r.cfg.Now())
		r.cfg.Audit.Change(g.Request, e)
		return errInvalidRefreshToken.Because("reuse of generation %d", g.presented.Generation)
	case store.Ahead:
		r.cfg.Log.WarnContext(g.Context(), "a refresh token is newer than its session, and the store has lost nothing that explains it", slog.String("sid", g.SessionID))
		r.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventRefresh, Outcome: g.Outcome})
		return errInvalidRefreshToken.Because("generation %d is newer than the session", g.presented.Generation)
	default:
		over := ended("session is " + g.Outcome)
		over.Outbox = e.Outbox
		r.recordEnded(g, changed, over)
		return errInvalidRefreshToken.Because("session is %s", outcome)
	}
}

// rotate asks the store. A session that began in a later epoch of the client than the one cached here
// shows that the cache is behind: the client is read again, and if it is the one that has been
// authenticated, the store is asked once more.
func (r *refreshGrant) rotate(g *grantRequest) (store.Session, store.User, store.Outcome, error) {
	rotation := r.rotation(g)
	session, user, outcome, err := r.countedRotate(g, rotation)
	if err != nil || outcome != store.Stale {
		return session, user, outcome, err
	}
	if err := r.rereadClient(g); err != nil {
		return store.Session{}, store.User{}, store.Gone, err
	}
	rotation.ClientEpoch, rotation.NotBefore, rotation.ClientConfirmed = g.client.Epoch, g.client.NotBefore, true
	return r.countedRotate(g, rotation)
}

// rereadClient is for a request whose client is later in the store than in the cache.
func (h *shared) rereadClient(g *grantRequest) error {
	client, err := h.cfg.Clients.Reread(g.Context(), g.client.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return clientauth.ErrInvalidClient.Because("the client was deleted during the request")
	case err != nil:
		return edge.Unavailable(err)
	case !sameCredentials(client, g.client):
		return edge.Unavailable(errors.New("the client was changed during the request; its credentials are to be checked again"))
	}
	clientauth.Identify(g.Request, client)
	g.client = client
	return nil
}

func (r *refreshGrant) rotation(g *grantRequest) store.Rotation {
	set := r.cfg.Settings()
	return store.Rotation{
		UserID: g.presented.UserID, SessionID: g.presented.SessionID, ClientID: g.client.ID, Generation: g.presented.Generation,
		Now: r.cfg.Now(), Lifetimes: set.Lifetimes, Grace: set.Grace, MaxReplays: set.MaxReplays, NotBefore: g.client.NotBefore,
		Late: min(set.Late, set.Lifetimes.Idle), ClientEpoch: g.client.Epoch, Address: g.Address, RequestID: g.ID,
	}
}

func (r *refreshGrant) countedRotate(g *grantRequest, rotation store.Rotation) (store.Session, store.User, store.Outcome, error) {
	if known := r.loss.Load(); known != nil {
		rotation.Loss = *known
	}
	session, user, outcome, err := r.cfg.Store.Rotate(g.Context(), rotation)
	if err == nil && outcome == store.Ahead {
		session, user, outcome, err = r.rotateAfterLoss(g, rotation)
	}
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, edge.Unavailable(err)
	}
	g.Username = user.Username // empty where there is no such user any more
	g.Outcome = outcome.String()
	r.rotations.WithLabelValues(g.Outcome).Inc()
	return session, user, outcome, nil
}

// rotateAfterLoss asks whether the store has lost writes that this replica has not seen yet, and if so
// decides again.
func (r *refreshGrant) rotateAfterLoss(g *grantRequest, rotation store.Rotation) (store.Session, store.User, store.Outcome, error) {
	loss, err := r.cfg.Store.Loss(g.Context())
	if err != nil || loss == rotation.Loss {
		return store.Session{}, store.User{}, store.Ahead, err
	}
	r.loss.Store(&loss)
	rotation.Loss = loss
	return r.cfg.Store.Rotate(g.Context(), rotation)
}

// sameCredentials reports whether what has authenticated one client authenticates the other.
func sameCredentials(a, b *store.Client) bool {
	return !a.Disabled && a.Public == b.Public && slices.Equal(a.AuthMethods, b.AuthMethods) && bytes.Equal(a.JWKS, b.JWKS) &&
		slices.EqualFunc(a.Secrets, b.Secrets, func(x, y store.Secret) bool { return bytes.Equal(x.Hash, y.Hash) })
}

// reuseDetail lets an operator distinguish a thief from an app that has lost a response. session is as it was
// before the reuse ended it.
func reuseDetail(g *grantRequest, session store.Session, now time.Time) map[string]string {
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

// signAhead signs the access token of a refresh before the session moves on: a signature that does not come then leaves
// the refresh token unspent, whatever the grace window is. The token goes out only if the step in the store allows it.
// There is none where there is no session: that step is going to refuse the refresh.
func (r *refreshGrant) signAhead(g *grantRequest) (engine.Tokens, error) {
	state, err := r.cfg.Store.TokenState(g.Context(), store.TokenRef{UserID: g.presented.UserID, SessionID: g.presented.SessionID})
	switch {
	case err != nil:
		return engine.Tokens{}, edge.Unavailable(err)
	case !state.Live:
		return engine.Tokens{}, nil
	}
	return g.issue(&state.User, &state.Session)
}
