package oauth

import (
	"slices"

	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// revocationReason returns which of the session's foundations the client has lost since the login, or "". Refresh
// and introspection both ask it.
func (h *shared) revocationReason(client *store.Client, presented token.Refresh) string {
	switch {
	case !slices.Contains(client.Grants, syntax.GrantPassword):
		return "the client has lost the password grant"
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

// stillServed looks at the client once more, after the step that has begun or carried on the session:
// a client that was disabled, deleted or made anew meanwhile gets nothing, and the session ends.
func (h *shared) stillServed(g *grantRequest, session store.Session) error {
	ok, err := h.cfg.Clients.Unchanged(g.Context(), g.client)
	switch {
	case err != nil:
		return edge.Unavailable(err)
	case ok:
		return nil
	}
	if _, err := h.cfg.Store.RevokeSession(g.Context(), session.UserID, session.ID); err != nil {
		return edge.Unavailable(err)
	}
	return clientauth.ErrInvalidClient.Because("the client was changed during the request")
}
