package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/store"
)

// errNotAdmin is the answer to a good token that may not use the verb (RFC 6750 §3.1).
func errNotAdmin(scope string) *oauthError {
	named, needs := scope, "the scope "+scope
	if scope == scopeAny {
		named, needs = strings.Join(adminScopes, " "), "one of the scopes "+strings.Join(adminScopes, ", ")
	}
	return &oauthError{Status: http.StatusForbidden, Code: "insufficient_scope",
		Challenge: `Bearer realm="signet", error="insufficient_scope", scope="` + named + `"`,
		Description: "this needs a client_credentials token with " + needs + ", asked for by name, of a client that has it now; " +
			scopeAdmin + " stands for all of them"}
}

// authenticateAdmin asks everything of the token that any other endpoint would, so that disabling
// the client or revoking the token shuts it out at once; so does taking the scope from the client.
func (s *Server) authenticateAdmin(c *call, scope string) error {
	token, err := bearer(c.Request)
	if err != nil {
		return s.refuseAdmin(c, err)
	}
	t, err := s.checkAccessToken(c.Context(), token)
	if errors.Is(err, errTokenNotLive) {
		return s.refuseAdmin(c, err)
	}
	if err != nil {
		return err
	}
	c.actor, c.rights = t.client.ID, adminRights(t)
	if !allows(c.rights, scope) {
		s.audit.refusal(c, event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused, Actor: c.actor, Detail: map[string]string{store.DetailReason: "scope"}})
		return errNotAdmin(scope)
	}
	return nil
}

// adminRights are the scopes of the admin API that the token names and its client still has. A user's
// token has none, whatever it says: operators are clients.
func adminRights(t *liveToken) (rights []string) {
	if t.user != nil {
		return nil
	}
	for scope := range strings.SplitSeq(t.claims.Scope, " ") {
		if slices.Contains(adminScopes, scope) && slices.Contains(t.client.Scopes, scope) {
			rights = append(rights, scope)
		}
	}
	return rights
}

// refuseAdmin counts the failure against the caller's network. A good token is never turned away.
func (s *Server) refuseAdmin(c *call, refusal error) error {
	wait, err := s.store.Take(c.Context(), c.begun, s.throttle.admin(s.settings().Throttle, c.address))
	if err != nil {
		return unavailable(err)
	}
	if wait > 0 {
		return slowDown(wait)
	}
	s.audit.refusal(c, event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: refusal.Error()}})
	return refusal
}
