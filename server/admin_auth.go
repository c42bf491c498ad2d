package server

import (
	"errors"
	"net/http"
	"slices"
	"strings"
)

// adminScope lets a client of its own standing, never a user, through AdminWithToken.
const adminScope = "signet:admin"

var errNotAdmin = &oauthError{Status: http.StatusForbidden, Code: "insufficient_scope",
	Challenge:   `Bearer realm="signet", error="insufficient_scope", scope="` + adminScope + `"`,
	Description: "this needs a client_credentials token of scope " + adminScope + ", from a client that has that scope now"}

// authenticateAdmin asks everything of the token that any other endpoint would, so that disabling
// the client or revoking the token shuts it out at once; so does taking the scope from the client.
func (s *Server) authenticateAdmin(c *call) error {
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
	c.actor = t.client.ID
	if t.user != nil || !slices.Contains(strings.Split(t.claims.Scope, " "), adminScope) || !slices.Contains(t.client.Scopes, adminScope) {
		s.audit.add(c, event{Type: "admin_auth", Outcome: "refused", Actor: c.actor, Detail: map[string]string{"reason": "scope"}})
		return errNotAdmin
	}
	return nil
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
	s.audit.add(c, event{Type: "admin_auth", Outcome: "refused", Detail: map[string]string{"reason": refusal.Error()}})
	return refusal
}
