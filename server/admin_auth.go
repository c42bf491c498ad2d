package server

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// errNotAdmin is the answer to a good token that may not use a verb of the scope (RFC 6750 §3.1).
func errNotAdmin(scope string) *edge.Error {
	named, needs := scope, "the scope "+scope
	if scope == api.AnyScope {
		named, needs = strings.Join(api.Scopes, " "), "one of the scopes "+strings.Join(api.Scopes, ", ")
	}
	return &edge.Error{Status: http.StatusForbidden, Code: "insufficient_scope",
		Challenge: `Bearer realm="signet", error="insufficient_scope", scope="` + named + `"`,
		Description: "this needs a client_credentials token with " + needs + ", asked for by name, of a client that has it now; " +
			api.ScopeAdmin + " stands for all of them"}
}

// errNotForAdmin is the answer to a token that has the right scope and was made for other services. Whoever
// runs one of these could have sent it here.
func (s *Server) errNotForAdmin() *edge.Error {
	return &edge.Error{Status: http.StatusUnauthorized, Code: api.CodeUnauthorized,
		Challenge:   `Bearer realm="signet", error="invalid_token", error_description="the access token is for other services"`,
		Description: "the access token is for other services: name the scope and leave resource out, or send resource=" + api.Audience(s.cfg.Issuer)}
}

// authenticateAdmin asks everything of the token that any other endpoint would, that it is for this API, and
// that its client has the scope now. The client is read from the store: what is taken from it is gone
// at once, at every replica.
func (s *Server) authenticateAdmin(c *adminRequest, scope string) error {
	raw, err := c.Bearer()
	if err != nil {
		return s.refuseAdmin(c, err)
	}
	t, err := s.checker.CheckWith(c.Context(), raw, s.storedClient)
	if errors.Is(err, token.ErrInactive) {
		return s.refuseAdmin(c, asError(err))
	}
	if err != nil {
		return err
	}
	c.Actor, c.rights = t.Client.ID, adminRights(t)
	switch {
	case !allows(c.rights, scope):
		return s.forbidAdmin(c, "scope", errNotAdmin(scope))
	case !slices.Contains(t.Claims.Audience, api.Audience(s.cfg.Issuer)):
		return s.forbidAdmin(c, "audience", s.errNotForAdmin())
	}
	c.recheck = func(ctx context.Context) error { return s.stillAdmin(ctx, raw, scope) }
	return nil
}

// stillAdmin asks of a token that was good for the scope whether it still is.
func (s *Server) stillAdmin(ctx context.Context, raw, scope string) error {
	ctx, cancel := context.WithTimeout(ctx, edge.AnswerWithin)
	defer cancel()
	t, err := s.checker.CheckWith(ctx, raw, s.storedClient)
	if err != nil {
		return asError(err)
	}
	if !allows(adminRights(t), scope) {
		return errNotAdmin(scope)
	}
	return nil
}

func (s *Server) storedClient(ctx context.Context, id string) (*store.Client, error) {
	if !syntax.ClientID(id) {
		return nil, store.ErrNotFound
	}
	client, err := s.store.Client(ctx, id)
	if err == nil {
		err = s.floors.Check(client)
	}
	return &client, err
}

// adminRights are the scopes of the admin API that the token names and its client still has. A user's
// token has none, whatever is in it: operators are clients.
func adminRights(t *token.Access) (rights []string) {
	if t.User != nil {
		return nil
	}
	for scope := range strings.SplitSeq(t.Claims.Scope, " ") {
		if slices.Contains(api.Scopes, scope) && slices.Contains(t.Client.Scopes, scope) {
			rights = append(rights, scope)
		}
	}
	return rights
}

// mayHandle refuses a caller who would get at scopes of the admin API that it does not have: by giving them to a
// client, or by changing one that has them, since whoever can give that a secret or a key can be it.
func (s *Server) mayHandle(c *adminRequest, scopes []string) error {
	var missing []string
	for _, scope := range scopes {
		if api.IsScope(scope) && !allows(c.rights, scope) {
			missing = append(missing, scope)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := errNotAdmin(strings.Join(missing, " "))
	e.Description = "this client has, or would have, scopes of the admin API that your token has not: " + strings.Join(missing, ", ")
	return s.forbidAdmin(c, "rights", e)
}

// forbidAdmin counts and records the refusal of a good token.
func (s *Server) forbidAdmin(c *adminRequest, reason string, refusal *edge.Error) error {
	s.metrics.adminRefused.WithLabelValues(reason).Inc()
	s.audit.Refused(c.Request, store.Event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused, Actor: c.Actor, Detail: map[string]string{store.DetailReason: reason}})
	return refusal
}

// refuseAdmin counts the failure against the caller's network. A good token is never turned away.
func (s *Server) refuseAdmin(c *adminRequest, refusal error) error {
	s.metrics.adminRefused.WithLabelValues("token").Inc()
	wait, err := s.store.Count(c.Context(), c.Begun, s.throttle.Admin(s.settings().Throttle, c.Address))
	if err != nil {
		return edge.Unavailable(err)
	}
	if wait > 0 {
		return edge.SlowDown(wait)
	}
	s.audit.Refused(c.Request, store.Event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: refusal.Error()}})
	return refusal
}
