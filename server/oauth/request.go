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
	presented token.Refresh // what the refresh token has, or the first one of a code
	code      token.Code    // of the authorization code grant
	breached  bool          // the user's password is in a list of breached ones
	signIn    signIn        // of a grant with a user
	idToken   string        // empty: none
}

// run gives the request to the engine, which calls the methods below for the checks of the grant and for its one step
// that changes something.
func (g *grantRequest) run() (engine.Tokens, error) {
	var err error
	switch g.GrantType {
	case syntax.GrantRefreshToken:
		err = g.handler.refresh.open(g)
	case syntax.GrantAuthorizationCode:
		err = g.handler.code.open(g)
	}
	if err != nil {
		return engine.Tokens{}, err
	}
	issued, err := g.handler.engine.Run(g.Context(), engine.Request{HTTP: g.Request.Request, GrantType: g.GrantType, Refresh: g.Form.Get("refresh_token"),
		Code: g.Form.Get("code"), RedirectURI: g.redirectURI(), Verifier: g.Form.Get("code_verifier"),
		Narrows: g.Form.Get("scope") != "" || len(g.Form.Resources) > 0}, g)
	if err != nil {
		return engine.Tokens{}, g.engineError(err)
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

// Code implements engine.Grant.
func (g *grantRequest) Code(code string) (engine.Code, bool) {
	if g.code.SessionID.IsZero() || g.Form.Get("code") != code {
		return engine.Code{}, false
	}
	return engine.Code{Subject: g.Subject, Scope: g.code.Scope, RedirectURI: g.code.RedirectURI, Challenge: g.code.Challenge}, true
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
	case syntax.GrantAuthorizationCode:
		return g.handler.code.redeem(g)
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
	issued, err := g.handler.cfg.Tokens.Issue(g.Context(), token.Grant{Client: g.client, User: user, Session: session, Scope: g.scope, Audience: audience,
		AMR: g.presented.AMR, ACR: g.presented.ACR})
	g.KeyID = issued.KeyID
	g.breached = user != nil && user.Breached
	if openID && err == nil {
		err = g.issueID(user, session, issued)
	}
	return engine.Tokens{Access: issued.Token, Life: issued.Life}, err
}

// engineError words the refusals of the engine. Errors of the grants come back as they are.
func (g *grantRequest) engineError(err error) error {
	var refused *engine.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	response := errInvalidRefreshToken
	if g.GrantType == syntax.GrantAuthorizationCode {
		response = errInvalidCode
	}
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
