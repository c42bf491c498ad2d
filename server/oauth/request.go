package oauth

import (
	"errors"

	"signet/server/account"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/oauth/engine"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// grantRequest is one request for tokens, and what it may be given. It implements engine.Grant.
type grantRequest struct {
	*edge.Request
	handler   *Handler
	client    *store.Client // authenticated
	scope     string        // to be granted
	audience  []string      // to be granted
	presented token.Refresh // of the refresh token grant
	breached  bool          // the user's password is in a list of breached ones
	signIn    signIn        // of a grant with a user
	idToken   string        // empty: none
}

// run gives the request to the engine, which calls the methods below for the checks of the grant and for its one step
// that changes something.
func (g *grantRequest) run() (engine.Tokens, error) {
	if g.GrantType == syntax.GrantRefreshToken {
		if err := g.handler.refresh.open(g); err != nil {
			return engine.Tokens{}, err
		}
	}
	issued, err := g.handler.engine.Run(g.Context(), engine.Request{HTTP: g.Request.Request, GrantType: g.GrantType, Refresh: g.Form.Get("refresh_token"),
		Narrows: g.Form.Get("scope") != "" || len(g.Form.Resources) > 0}, g)
	if err != nil {
		return engine.Tokens{}, engineError(err)
	}
	return issued, nil
}

// Client implements engine.Grant.
func (g *grantRequest) Client() (id string, public bool) { return g.client.ID, g.client.Public }

// Session implements engine.Grant.
func (g *grantRequest) Session(refresh string) (engine.Session, bool) {
	if g.presented.SessionID.IsZero() || g.Form.Get("refresh_token") != refresh {
		return engine.Session{}, false
	}
	return engine.Session{Subject: g.Subject, Scope: g.presented.Scope}, true
}

// Check implements engine.Grant.
func (g *grantRequest) Check() error { return g.handler.checkRequest(g) }

// Narrow implements engine.Grant.
func (g *grantRequest) Narrow() error { return g.handler.refresh.checkNarrowing(g) }

// Execute implements engine.Grant.
func (g *grantRequest) Execute() (engine.Tokens, error) {
	switch g.GrantType {
	case syntax.GrantPassword:
		return g.handler.login(g)
	case syntax.GrantRefreshToken:
		return g.handler.refresh.refresh(g)
	default:
		return g.handler.clientCredentials(g)
	}
}

// issue signs the access token of the grant, and the id_token where the scope has openid. user and session are nil for a token
// of the client's own.
func (g *grantRequest) issue(user *store.User, session *store.Session) (engine.Tokens, error) {
	openID, audience := user != nil && account.HasScope(g.scope, account.ScopeOpenID), g.audience
	if openID {
		audience = g.forUser()
	}
	issued, err := g.handler.cfg.Tokens.Issue(g.Context(), token.Grant{Client: g.client, User: user, Session: session, Scope: g.scope, Audience: audience})
	g.KeyID = issued.KeyID
	g.breached = user != nil && user.Breached
	if openID && err == nil {
		err = g.issueID(user, session, issued)
	}
	return engine.Tokens{Access: issued.Token, Life: issued.Life}, err
}

// engineError words the refusals of the engine. Errors of the grants come back as they are.
func engineError(err error) error {
	var refused *engine.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	response := errInvalidRefreshToken
	switch refused.Refusal {
	case engine.InvalidClient:
		response = clientauth.ErrInvalidClient
	case engine.UnauthorizedClient:
		response = errUnauthorizedClient
	case engine.UnsupportedGrantType:
		response = errUnsupportedGrantType
	case engine.InvalidScope:
		response = errInvalidScope
	}
	return response.Because("%w", refused)
}
