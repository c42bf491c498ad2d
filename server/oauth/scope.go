package oauth

import (
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// checkRequest settles scope and audience of a grant that begins something new. Asking for nothing
// is asking for all the client is registered for.
func (h *Handler) checkRequest(g *grantRequest) error {
	allowed := strings.Join(g.client.Scopes, " ")
	if g.GrantType != syntax.GrantClientCredentials {
		allowed = api.Ordinary(allowed) // no user is an operator
	}
	scope, err := chooseScope(g.Form.Get("scope"), allowed)
	if err != nil {
		return err
	}
	if scope, err = h.settleOpenID(g, scope); err != nil {
		return err
	}
	audience, err := h.checkAudienceOf(g, scope)
	if err != nil {
		return err
	}
	g.scope, g.audience = scope, audience
	return nil
}

// CheckAuthorization returns the scope and the audience that an authorization request with the form r.Form gets, or why it
// may not have what it asks for.
func (h *Handler) CheckAuthorization(r *edge.Request, client *store.Client) (scope string, audience []string, err error) {
	g := &grantRequest{Request: r, handler: h, client: client}
	if err := h.checkRequest(g); err != nil {
		return "", nil, err
	}
	return g.scope, g.audience, nil
}

// chooseScope returns the scopes asked for, each once, or all of the allowed ones where none are
// asked for (RFC 6749 §3.3), except those of the admin API, which must be asked for by name.
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
	"openid":         "openid is for OpenID Connect: configure the client library without it, or ask the operator to add it to the scopes of the client",
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

// within reports whether every scope of asked stands in allowed.
func within(asked string, allowed []string) bool { return firstOutside(asked, allowed) == "" }

// firstOutside returns the first scope of asked that does not stand in allowed, or "".
func firstOutside(asked string, allowed []string) string {
	for scope := range strings.SplitSeq(asked, " ") {
		if !slices.Contains(allowed, scope) {
			return scope
		}
	}
	return ""
}
