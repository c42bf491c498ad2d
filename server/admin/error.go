package admin

import (
	"errors"
	"net/http"
	"strings"

	"signet/keys/clockcheck"
	"signet/server/admin/call"
	"signet/server/audit"
	"signet/server/edge"
	"signet/store"
)

// newSurface returns the surface of the verbs that change something, or of those that only read. asError returns the
// response for any error.
func newSurface(asError func(error) *edge.Error, trail *audit.Recorder, changes bool) *edge.Surface {
	body := func(e *edge.Error) any { return call.ErrorBody(e, changes) }
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

// clientError words an error of the store about a client.
func clientError(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return call.NotFound("there is no client of that id; GET /v1/clients lists them")
	case errors.Is(err, store.ErrExists):
		return call.Exists("a client of that id exists already; choose another id, or change the one that is there")
	}
	return err
}
