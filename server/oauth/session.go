package oauth

import (
	"slices"

	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// revocationReason returns which of the session's foundations the client has lost since the login, or "". Refresh
// and introspection both ask it.
func (h *shared) revocationReason(client *store.Client, presented token.Refresh) string {
	switch {
	case !slices.Contains(client.Grants, syntax.GrantPassword) && !slices.Contains(client.Grants, syntax.GrantAuthorizationCode):
		return "the client has lost the grant with which its sessions begin"
	case presented.Scope != "" && !within(presented.Scope, client.Scopes):
		return "the client has lost a scope of the session"
	case len(h.stillAllowed(client, presented)) == 0:
		return "the client has lost the audience of the session"
	}
	return ""
}

// stillAllowed returns what is left of the session's audience. A session that was for the server's
// default follows it: a change of the default ends no session.
func (h *shared) stillAllowed(client *store.Client, presented token.Refresh) []string {
	allowed := h.audienceOf(client)
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
