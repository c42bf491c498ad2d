package server

import (
	"slices"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// granting is one grant on its way: the authenticated call, and what the grant may give.
type granting struct {
	*edge.Request
	client    *store.Client
	scope     string        // to be granted; set by checkScope
	audience  []string      // to be granted
	presented token.Refresh // of the refresh token grant
}

// runGrant hands the call to go-oauth2, which asks back for the grant's checks and for its one
// consuming step: see engine.
func (s *Server) runGrant(c *edge.Request, client *store.Client) (tokens, error) {
	g := &granting{Request: c, client: client}
	if c.GrantType == grantRefreshToken {
		if err := s.openPresented(g); err != nil {
			return tokens{}, err
		}
	}
	return s.engine.run(g)
}

// checkRequest settles scope and audience of a grant that begins something new. Asking for nothing
// is asking for all the client is registered for.
func (s *Server) checkRequest(g *granting) error {
	allowed := strings.Join(g.client.Scopes, " ")
	if g.GrantType != grantClientCredentials {
		allowed = api.Ordinary(allowed) // no user is an operator
	}
	scope, err := chooseScope(g.Form.Get("scope"), allowed)
	if err != nil {
		return err
	}
	audience, err := s.checkAudienceOf(g, scope)
	if err != nil {
		return err
	}
	g.scope, g.audience = scope, audience
	return nil
}

// checkAudienceOf settles the audience of a request for the scope. The scopes of the admin API are for that API:
// a request that names one and no resource is for it alone, so that no other service is sent a token
// with which it could administrate.
func (s *Server) checkAudienceOf(g *granting, scope string) ([]string, error) {
	allowed := s.audienceOf(g.client)
	if g.GrantType == grantClientCredentials && api.Ordinary(scope) != scope {
		if len(g.Form.Resources) == 0 {
			return []string{api.Audience(s.cfg.Issuer)}, nil
		}
		allowed = append(slices.Clip(allowed), api.Audience(s.cfg.Issuer))
	}
	return chooseAudience(g.Form.Resources, allowed)
}

func (s *Server) audienceOf(client *store.Client) []string {
	if len(client.Audiences) > 0 {
		return client.Audiences
	}
	return s.settings().Audience
}

// chooseScope returns the scopes asked for, each once, or all of the allowed ones where none are
// asked for (RFC 6749 §3.3), except those of the admin API: who wants these names them.
func chooseScope(asked, allowed string) (string, error) {
	if asked == "" {
		return api.Ordinary(allowed), nil
	}
	if !syntax.Scope(asked) {
		return "", errMalformedScope
	}
	if refused := firstOutside(asked, strings.Split(allowed, " ")); refused != "" {
		return "", scopeRefused(refused, allowed)
	}
	if !strings.Contains(asked, " ") {
		return asked, nil
	}
	var once []string
	for scope := range strings.SplitSeq(asked, " ") {
		if !slices.Contains(once, scope) {
			once = append(once, scope)
		}
	}
	return strings.Join(once, " "), nil
}

// maxNamedScope bounds what an answer repeats of a scope that was refused, in bytes.
const maxNamedScope = 100

// scopeHints are for scopes that client libraries ask for by themselves.
var scopeHints = map[string]string{
	"openid":         "openid is for OpenID Connect, and no id_token is issued here: configure the client library without it",
	"offline_access": "offline_access is not needed here: a client with the grant refresh_token gets a refresh token without it",
}

// scopeRefused names the scope that was refused. It is a legal one (RFC 6749 §3.3), so it fits into an
// error_description (§5.2) and into a line of the log as it is. What looks like a secret that was sent in
// the wrong parameter is not repeated.
func scopeRefused(refused, allowed string) error {
	if looksSecret(refused) {
		e := errInvalidScope.Because("one of the scopes looks like a token or a client secret")
		e.Description = "one of the scopes looks like a token or a client secret: send that in the parameter it belongs to"
		return e
	}
	e := errInvalidScope.Because("the scope %s is not among these: %s", edge.QuoteShort(refused), allowed)
	switch hint := scopeHints[refused]; {
	case hint != "":
		e.Description = "the client may not have the scope " + refused + "; " + hint
	case len(refused) <= maxNamedScope:
		e.Description = "the client may not have the scope " + refused + ": ask for less; a refresh cannot ask for more than the login was given; without scope you get all there is"
	}
	return e
}

// looksSecret reports whether s has the form of a token or of a client secret of ours.
func looksSecret(s string) bool {
	return strings.Contains(s, clientauth.SecretPrefix) || strings.Contains(s, token.RefreshPrefix) || strings.HasPrefix(s, "eyJ") || strings.Contains(s, ".eyJ")
}

// chooseAudience returns the resources asked for, each once, or all of the allowed ones where none
// are asked for. RFC 8707 §2 wants absolute URIs. A plain name will do where an operator has registered
// one as an audience: the token says the same name in aud, and there is no other way to ask for it.
// Both are compared byte for byte: what looks nearly the same may be another service's.
func chooseAudience(asked, allowed []string) ([]string, error) {
	switch {
	case len(asked) == 0:
		return allowed, nil
	case len(asked) > syntax.MaxAudiences:
		return nil, errTooManyTargets
	}
	var once []string
	for _, resource := range asked {
		switch {
		case syntax.CheckAudience(resource) != "":
			return nil, errMalformedTarget
		case !slices.Contains(allowed, resource):
			return nil, errInvalidTarget.Because("not all of the %d resources asked for are among these: %s", len(asked), strings.Join(allowed, " "))
		}
		if !slices.Contains(once, resource) {
			once = append(once, resource)
		}
	}
	return once, nil
}

// consume is the grant's one consuming step and the signature after it. go-oauth2 calls it when
// every check has passed; nothing before it has changed anything.
func (s *Server) consume(g *granting) (access, refresh string, ttl time.Duration, err error) {
	switch g.GrantType {
	case grantPassword:
		return s.login(g)
	case grantRefreshToken:
		return s.refresh(g)
	default:
		return s.grantClientCredentials(g)
	}
}

// issue signs the access token of the grant. user and session are nil for a token of the client's own.
func (s *Server) issue(g *granting, user *store.User, session *store.Session) (access string, ttl time.Duration, err error) {
	issued, err := s.issuer.Issue(g.Context(), token.Grant{Client: g.client, User: user, Session: session, Scope: g.scope, Audience: g.audience})
	g.KeyID = issued.KeyID
	return issued.Token, issued.Life, err
}
