package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/syntax"
	"signet/server/throttle"
	"signet/server/token"
	"signet/store"
)

// auth decides which callers may use which verb.
type auth struct {
	audience string // of tokens for this API
	checker  *token.Checker
	store    store.Store
	floors   *clientauth.Floors
	throttle *throttle.Throttle
	settings func() Settings
	audit    *audit.Recorder
	asError  func(error) *edge.Error
	refused  *prometheus.CounterVec // by reason
}

func newAuth(cfg Config) *auth {
	h := &auth{audience: api.Audience(cfg.Issuer), checker: cfg.Checker, asError: cfg.Error, store: cfg.Store, floors: cfg.Floors,
		throttle: cfg.Throttle, settings: cfg.Settings, audit: cfg.Audit}
	h.refused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_admin_refused_total",
		Help: "Requests refused at the admin listener: no good token, a token without the scope, for another audience, or without the rights of the client it would change."},
		[]string{"reason"})
	for _, reason := range []string{"token", "scope", "audience", "rights"} {
		h.refused.WithLabelValues(reason)
	}
	cfg.Registry.MustRegister(h.refused)
	return h
}

// missingScope is the response to a valid token that may not use a verb of the scope (RFC 6750 §3.1).
func missingScope(scope string) *edge.Error {
	named, needs := scope, "the scope "+scope
	if scope == api.AnyScope {
		named, needs = strings.Join(api.Scopes, " "), "one of the scopes "+strings.Join(api.Scopes, ", ")
	}
	return &edge.Error{Status: http.StatusForbidden, Code: "insufficient_scope",
		Challenge: `Bearer realm="signet", error="insufficient_scope", scope="` + named + `"`,
		Description: "this needs a client_credentials token with " + needs + ", asked for by name, of a client that has it now; " +
			api.ScopeAdmin + " stands for all of them"}
}

// otherAudience is the response to a token that has the right scope and is for other services. An operator of one of
// those could have sent it here.
func (h *auth) otherAudience() *edge.Error {
	return &edge.Error{Status: http.StatusUnauthorized, Code: api.CodeUnauthorized,
		Challenge:   `Bearer realm="signet", error="invalid_token", error_description="the access token is for other services"`,
		Description: "the access token is for other services: name the scope and leave resource out, or send resource=" + h.audience}
}

// authenticate checks the token as any other endpoint does, and that it is for this API and its client has the scope
// now. It reads the client from the store: a right that is taken away is gone at once, at every replica.
func (h *auth) authenticate(r *call.Request, scope string) error {
	raw, err := r.Bearer()
	if err != nil {
		return h.refuse(r, err)
	}
	t, err := h.checker.CheckWith(r.Context(), raw, h.storedClient)
	if errors.Is(err, token.ErrInactive) {
		return h.refuse(r, h.asError(err))
	}
	if err != nil {
		return err
	}
	r.Actor, r.Rights = t.Client.ID, rightsOf(t)
	switch {
	case !allows(r.Rights, scope):
		return h.forbid(r, "scope", missingScope(scope))
	case !slices.Contains(t.Claims.Audience, h.audience):
		return h.forbid(r, "audience", h.otherAudience())
	}
	r.Recheck = func(ctx context.Context) error { return h.recheck(ctx, raw, scope) }
	return nil
}

// recheck checks again a token that was valid for the scope.
func (h *auth) recheck(ctx context.Context, raw, scope string) error {
	ctx, cancel := context.WithTimeout(ctx, edge.AnswerWithin)
	defer cancel()
	t, err := h.checker.CheckWith(ctx, raw, h.storedClient)
	switch {
	case errors.Is(err, token.ErrInactive):
		return h.asError(err)
	case err == nil && !allows(rightsOf(t), scope):
		return missingScope(scope)
	}
	return err
}

func (h *auth) storedClient(ctx context.Context, id string) (*store.Client, error) {
	if !syntax.ClientID(id) {
		return nil, store.ErrNotFound
	}
	client, err := h.store.Client(ctx, id)
	if err == nil {
		err = h.floors.Check(client)
	}
	return &client, err
}

// rightsOf are the scopes of the API that the token names and its client still has. A user's token has none, whatever
// is in it: operators are clients.
func rightsOf(t *token.Access) (rights []string) {
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

// mayHandle refuses a caller that would gain scopes of the admin API that it does not have: by giving them to a client,
// or by changing a client that has them, because a caller that can set its secret or key can act as that client.
func (h *auth) mayHandle(r *call.Request, scopes []string) error {
	var missing []string
	for _, scope := range scopes {
		if api.IsScope(scope) && !allows(r.Rights, scope) {
			missing = append(missing, scope)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := missingScope(strings.Join(missing, " "))
	e.Description = "this client has, or would have, scopes of the admin API that your token has not: " + strings.Join(missing, ", ")
	return h.forbid(r, "rights", e)
}

// forbid counts and records the refusal of a valid token.
func (h *auth) forbid(r *call.Request, reason string, refusal *edge.Error) error {
	h.refused.WithLabelValues(reason).Inc()
	h.audit.Refused(r.Request, store.Event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused, Actor: r.Actor,
		Detail: map[string]string{store.DetailReason: reason}})
	return refusal
}

// refuse counts the failure against the caller's network. A valid token is never refused for it.
func (h *auth) refuse(r *call.Request, refusal error) error {
	h.refused.WithLabelValues("token").Inc()
	wait, err := h.store.Count(r.Context(), r.Begun, h.throttle.Admin(h.settings().Throttle, r.Address))
	if err != nil {
		return edge.Unavailable(err)
	}
	if wait > 0 {
		return edge.SlowDown(wait)
	}
	h.audit.Refused(r.Request, store.Event{Type: store.EventAdminAuth, Outcome: store.OutcomeRefused,
		Detail: map[string]string{store.DetailReason: refusal.Error()}})
	return refusal
}

// allows reports whether a caller with these rights may use a verb that needs the scope.
func allows(rights []string, scope string) bool {
	if scope == api.AnyScope {
		return len(rights) > 0
	}
	return slices.Contains(rights, api.ScopeAdmin) || slices.Contains(rights, scope)
}
