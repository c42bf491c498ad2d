package server

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"signet/keys/clockcheck"
	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// adminSurface is that of the admin API.
func (s *Server) adminSurface() *edge.Surface {
	return &edge.Surface{Error: asError, Body: adminErrorBody, Refused: s.recordUnknown}
}

// recordUnknown records a change through the admin API whose outcome is not known, if nothing else of the request is
// on the trail.
func (s *Server) recordUnknown(r *edge.Request, rt *edge.Route, refused *edge.Error, err error) {
	if r.Audited || !rt.Changes || r.Actor == "" || refused.Status < http.StatusInternalServerError || errors.Is(err, clockcheck.ErrClock) {
		return
	}
	if r.KeyID == "" {
		r.KeyID = r.PathValue("kid")
	}
	s.audit.Change(r, store.Event{Type: unknownEventType(rt.Name), Outcome: store.OutcomeUnknown, Actor: r.Actor, ClientID: r.PathValue("id"),
		Detail: map[string]string{store.DetailReason: refused.Reason()}})
}

// unknownEventType returns the type of the event of a verb, whose route is given. The verbs for many users share one.
func unknownEventType(route string) string {
	if strings.Contains(route, ".bulk_") {
		return store.EventUserBulk
	}
	return strings.TrimPrefix(route, "admin.")
}

// adminErrorBody puts an error of either listener in the admin API's words.
func adminErrorBody(e *edge.Error) any {
	switch e.Code {
	case "temporarily_unavailable":
		return api.NewError(api.CodeUnavailable, "the server or its store cannot do this right now; a change may or may not have been made: "+
			"look, and try again after Retry-After; the server's log has the cause")
	case "server_error":
		return api.NewError(api.CodeInternal, "something went wrong here; the server's log has the cause under this X-Request-Id")
	case "slow_down":
		return api.NewError(api.CodeThrottled, e.Description)
	case "invalid_request":
		if e.Status == http.StatusUnauthorized {
			return api.NewError(api.CodeUnauthorized, "send an access token in the header: Authorization: Bearer …; get it with client_credentials, and name the scope ("+api.ScopeAdmin+", or a narrower one)")
		}
		return api.NewError(api.CodeInvalid, e.Description)
	case "invalid_token":
		return api.NewError(api.CodeUnauthorized, "the access token is not valid, or no longer: get a new one with client_credentials, and name the scope ("+api.ScopeAdmin+", or a narrower one)")
	case "insufficient_scope":
		return api.NewError(api.CodeForbidden, e.Description)
	}
	return api.NewError(e.Code, e.Description)
}

func adminInvalid(format string, args ...any) *edge.Error {
	return &edge.Error{Status: http.StatusBadRequest, Code: api.CodeInvalid, Description: fmt.Sprintf(format, args...)}
}

func adminNotFound(message string) *edge.Error {
	return &edge.Error{Status: http.StatusNotFound, Code: api.CodeNotFound, Description: message}
}

func adminExists(message string) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: api.CodeExists, Description: message}
}

// clientProblem puts what the store says of a client in words.
func clientProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return adminNotFound("there is no client of that id; GET /v1/clients lists them")
	case errors.Is(err, store.ErrExists):
		return adminExists("a client of that id exists already; choose another id, or change the one that is there")
	}
	return err
}

// userProblem does the same for a user.
func userProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return adminNotFound("there is no user of that name; GET /v1/users lists them")
	case errors.Is(err, store.ErrExists):
		return adminExists("a user of that name exists already; choose another name, or change the one that is there")
	}
	return err
}
