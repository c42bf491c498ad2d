package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"signet/keys/clockcheck"
	"signet/server/admin/api"
	"signet/server/audit"
	"signet/server/edge"
	"signet/store"
)

// newSurface returns the surface of the verbs that change something, or of those that only read. asError returns the
// response for any error.
func newSurface(asError func(error) *edge.Error, trail *audit.Recorder, changes bool) *edge.Surface {
	body := func(e *edge.Error) any { return errorBody(e, changes) }
	return &edge.Surface{Error: asError, Body: body, Refused: func(r *edge.Request, rt *edge.Route, refused *edge.Error, err error) {
		recordUnknown(trail, r, rt, refused, err)
	}}
}

// recordUnknown records a change whose outcome is not known, if nothing else of the request is on the trail.
func recordUnknown(trail *audit.Recorder, r *edge.Request, rt *edge.Route, refused *edge.Error, err error) {
	if r.Audited || !rt.Changes || r.Actor == "" || refused.Status < http.StatusInternalServerError || errors.Is(err, clockcheck.ErrClock) {
		return
	}
	if r.KeyID == "" {
		r.KeyID = r.PathValue("kid")
	}
	trail.Change(r, store.Event{Type: unknownEventType(rt.Name), Outcome: store.OutcomeUnknown, Actor: r.Actor, ClientID: r.PathValue("id"),
		Detail: map[string]string{store.DetailReason: refused.Reason()}})
}

// unknownEventType returns the type of the event of a verb, whose route is given. The verbs for many users share one.
func unknownEventType(route string) string {
	if strings.Contains(route, ".bulk_") {
		return store.EventUserBulk
	}
	return strings.TrimPrefix(route, "admin.")
}

// errorBody words an error. Errors of package edge and of access tokens have the codes of OAuth, which logs and metrics
// keep.
func errorBody(e *edge.Error, changes bool) any {
	switch e.Code {
	case "temporarily_unavailable":
		text := "the server or its store cannot answer this right now: try again in some seconds; the server's log has the cause"
		if changes {
			text = "the server or its store cannot do this right now; the change may or may not have been made: " +
				"look, and try again in some seconds; the server's log has the cause"
		}
		return api.NewError(api.CodeUnavailable, text)
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

func notFound(message string) *edge.Error {
	return &edge.Error{Status: http.StatusNotFound, Code: api.CodeNotFound, Description: message}
}

func exists(message string) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: api.CodeExists, Description: message}
}

// conflict is for a request that is well-formed and not possible as things are.
func conflict(format string, args ...any) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: api.CodeRefused, Description: fmt.Sprintf(format, args...)}
}

// clientError words an error of the store about a client.
func clientError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return notFound("there is no client of that id; GET /v1/clients lists them")
	case errors.Is(err, store.ErrExists):
		return exists("a client of that id exists already; choose another id, or change the one that is there")
	}
	return err
}

// userError words an error of the store about a user.
func userError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return notFound("there is no user of that name; GET /v1/users lists them")
	case errors.Is(err, store.ErrExists):
		return exists("a user of that name exists already; choose another name, or change the one that is there")
	}
	return err
}
