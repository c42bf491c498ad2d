package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/oauth/engine"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// codeGrant is the authorization code grant (RFC 6749 §4.1.3) with PKCE (RFC 7636), S256 for every client.
type codeGrant struct{ *shared }

// open opens the code for the authenticated client and settles what it may give. Nothing is consumed by a request that is
// refused here: a code for another redirect URI, or without its verifier, is of no use to whoever presents it, and must
// not be spoilt for the app that holds the verifier.
func (c *codeGrant) open(g *grantRequest) error {
	presented, verifier := g.Form.Get("code"), g.Form.Get("code_verifier")
	switch {
	case presented == "":
		return edge.InvalidRequest("code is missing")
	case verifier == "":
		return edge.InvalidRequest("code_verifier is missing: it is the secret behind the code_challenge of the authorization request")
	case !isVerifier(verifier):
		return edge.InvalidRequest("code_verifier must be 43 to 128 letters, digits, - . _ ~")
	}
	code, err := c.cfg.Sealer.OpenCode(presented, g.client.ID)
	if err != nil {
		return c.refuse(g, errInvalidCode, err.Error())
	}
	g.code, g.presented = code, token.Refresh{UserID: code.UserID, SessionID: code.SessionID, AuthTime: code.AuthTime,
		Scope: code.Scope, Audience: code.Audience, AMR: code.AMR, ACR: code.ACR, Chosen: code.Chosen}
	g.signIn = signIn{at: code.AuthTime, amr: code.AMR, acr: code.ACR, nonce: code.Nonce}
	g.Subject, g.SessionID = code.UserID.String(), code.SessionID.String()
	switch {
	case !c.cfg.Now().Before(code.Expires):
		return c.refuse(g, errInvalidCode, "it has expired")
	case g.redirectURI() != code.RedirectURI:
		return c.refuse(g, errOtherRedirectURI, "redirect_uri is not that of the authorization request")
	case !verifies(verifier, code.Challenge):
		return c.refuse(g, errWrongVerifier, "code_verifier does not fit the challenge")
	}
	if err := c.checkClient(g); err != nil {
		return err
	}
	g.scope, g.audience = api.Ordinary(code.Scope), c.stillAllowed(g.client, g.presented)
	return c.narrow(g)
}

// redirectURI returns the one that the request was made with. OAuth 2.1 leaves the parameter out, because PKCE binds the code; one
// that is there has to be the right one (draft-ietf-oauth-v2-1 §10.2).
func (g *grantRequest) redirectURI() string {
	if given := g.Form.Get("redirect_uri"); given != "" {
		return given
	}
	return g.code.RedirectURI
}

// checkClient refuses a code from before the client lost what it rests on.
func (c *codeGrant) checkClient(g *grantRequest) error {
	if g.code.ClientEpoch > g.client.Epoch { // the cache is behind
		if err := c.rereadClient(g); err != nil {
			return err
		}
	}
	if g.code.ClientEpoch != g.client.Epoch || g.code.AuthTime.Before(g.client.NotBefore) {
		return c.refuse(g, errInvalidCode, "the client was signed out everywhere since it was made")
	}
	if why := c.revocationReason(g.client, g.presented); why != "" {
		return c.refuse(g, errInvalidCode, why)
	}
	ended := store.Session{StartedAt: g.code.AuthTime, RotatedAt: c.cfg.Now()}
	if c.cfg.Settings().Lifetimes.Ended(ended, c.cfg.Now()) {
		return c.refuse(g, errInvalidCode, "the user signed in longer ago than a session lasts")
	}
	return nil
}

// narrow settles a request for less than the code was made for. That is for this access token only.
func (c *codeGrant) narrow(g *grantRequest) (err error) {
	if asked := g.Form.Get("scope"); asked != "" {
		if g.scope, err = chooseScope(asked, g.scope); err != nil {
			return err
		}
	}
	g.audience, err = chooseAudience(g.Form.Resources, g.audience)
	return err
}

func (c *codeGrant) refuse(g *grantRequest, response *edge.Error, why string) error {
	c.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventCode, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: why}})
	return response.Because("%s", why)
}

// redeem is the step that changes something: the session of the code begins, and so the code is spent. What follows can
// fail into a 503 alone, and then the session ends again: the app signs its user in anew, for which no password is needed. A
// remote key, which may well fail, signs before that step.
func (c *codeGrant) redeem(g *grantRequest) (issued engine.Tokens, err error) {
	fresh := store.Session{ID: g.code.SessionID, UserID: g.code.UserID, UserEpoch: g.code.UserEpoch, ClientID: g.client.ID, ClientEpoch: g.client.Epoch,
		Parent: g.code.Browser, StartedAt: g.code.AuthTime, RotatedAt: store.Millis(c.cfg.Now()), Address: store.NetworkOf(g.Address)}
	if c.cfg.Keys.Remote() {
		if issued, err = c.signAhead(g, fresh); err != nil {
			return engine.Tokens{}, err
		}
	}
	set := c.cfg.Settings()
	g.Changing = store.EventCode
	begun := store.Event{Type: store.EventCode, Outcome: store.OutcomeOK}
	again := store.Event{Type: store.EventCodeReuse, Outcome: store.Reused.String()}
	session, user, err := c.cfg.Store.RedeemCode(c.cfg.Audit.WithEvent(g.Request, &begun, &again), fresh,
		store.SessionLimits{PerUser: set.SessionsPerUser, Absolute: set.Lifetimes.Absolute}, g.code.Expires)
	switch {
	case errors.Is(err, store.ErrExists):
		return engine.Tokens{}, c.reused(g, session, again)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDisabled):
		return engine.Tokens{}, c.refuse(g, errInvalidCode, err.Error())
	case err != nil:
		return engine.Tokens{}, edge.Unavailable(err)
	}
	g.Username = user.Username
	if err := c.cfg.SignIn.StillServed(g.Context(), g.client, session); err != nil {
		c.cfg.Audit.Drop(begun)
		return engine.Tokens{}, err
	}
	if issued.Access == "" {
		if issued, err = g.issue(&user, &session); err != nil {
			c.abandon(g, session, begun)
			return engine.Tokens{}, err
		}
	}
	c.cfg.Audit.Change(g.Request, begun)
	if slices.Contains(g.client.Grants, syntax.GrantRefreshToken) {
		issued.Refresh = c.cfg.Sealer.Seal(g.presented, g.client.ID)
	}
	return issued, nil
}

// abandon ends a session whose tokens could not be signed.
func (c *codeGrant) abandon(g *grantRequest, session store.Session, begun store.Event) {
	if _, err := c.cfg.Store.RevokeSession(context.WithoutCancel(g.Context()), session.UserID, session.ID); err != nil {
		c.cfg.Log.WarnContext(g.Context(), "ending a session that began without tokens", slog.Any("error", err))
	}
	c.cfg.Audit.Drop(begun)
}

// reused refuses a code that was redeemed before (RFC 9700 §4.5). session is as it was before this request ended it, and zero
// where it had ended already.
func (c *codeGrant) reused(g *grantRequest, session store.Session, e store.Event) error {
	if session.ID.IsZero() {
		c.cfg.Audit.Refused(g.Request, store.Event{Type: store.EventCodeReuse, Outcome: store.OutcomeRefused,
			Detail: map[string]string{store.DetailReason: "its session has ended already"}})
		return errInvalidCode.Because("the code was redeemed before, and its session has ended")
	}
	c.cfg.Log.WarnContext(g.Context(), "an authorization code was used again; the session that it began was ended", slog.String("sid", g.SessionID))
	e.Detail = map[string]string{ // generation 0 began when the code was redeemed
		"stored_generation":      number(session.Generation),
		"since_rotation_seconds": wholeSeconds(c.cfg.Now().Sub(session.RotatedAt)),
	}
	if session.Address.IsValid() {
		e.Detail["last_address"] = session.Address.String()
	}
	c.cfg.Audit.Change(g.Request, e)
	return errInvalidCode.Because("the code was redeemed before")
}

// signAhead signs the access token before the code is spent; see refreshGrant.signAhead. Without a session of the browser there is
// no user to sign for yet.
func (c *codeGrant) signAhead(g *grantRequest, fresh store.Session) (engine.Tokens, error) {
	if fresh.Parent.IsZero() {
		return engine.Tokens{}, nil
	}
	state, err := c.cfg.Store.TokenState(g.Context(), store.TokenRef{UserID: fresh.UserID, SessionID: fresh.Parent})
	switch {
	case err != nil:
		return engine.Tokens{}, edge.Unavailable(err)
	case !state.Live:
		return engine.Tokens{}, nil
	}
	return g.issue(&state.User, &fresh)
}

// isVerifier reports whether the text can be a code_verifier (RFC 7636 §4.1).
func isVerifier(verifier string) bool {
	return len(verifier) >= 43 && len(verifier) <= 128 &&
		strings.Trim(verifier, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~") == ""
}

// verifies reports whether the verifier is behind the challenge (RFC 7636 §4.6). A code without a challenge has no verifier.
func verifies(verifier, challenge string) bool {
	sum := sha256.Sum256([]byte(verifier))
	digits := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(digits), []byte(challenge)) == 1
}
