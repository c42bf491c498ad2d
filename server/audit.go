package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"signet/server/audit"
	"signet/server/edge"
	"signet/store"
)

type event = store.Event

// auditor records what requests did or were refused; see package audit.
type auditor struct {
	*audit.Recorder
	showNames func() bool // whether names that nobody may have are recorded as they were typed
}

// add records a change of state, or what an operator did. What callers can repeat as often as they like
// goes through refusal or repeatable.
func (a auditor) add(c *edge.Request, e event) {
	c.Audited = true
	a.Record(a.about(c, e))
}

// repeatable records a change to what is the caller's own.
func (a auditor) repeatable(c *edge.Request, e event) {
	c.Audited = true
	a.RecordRepeatable(a.about(c, e), edge.Network(c.Address))
}

// refusal records that a request was refused.
func (a auditor) refusal(c *edge.Request, e event) {
	c.Audited = true
	a.RecordRefusal(a.about(c, e), edge.Network(c.Address), c.Confidential)
}

// refused records a refusal of which nothing else was recorded. Where a dependency failed in the step
// that changes something, the change may have been made.
func (a auditor) refused(c *edge.Request, rt *edge.Route, refusal *edge.Error) {
	e := event{Type: rt.Name, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: refusal.Reason()}}
	if refusal.Status >= http.StatusInternalServerError {
		e.Outcome = store.OutcomeUnavailable
		if c.Changing != "" {
			e.Type, e.Outcome = c.Changing, store.OutcomeUnknown
		}
	}
	a.refusal(c, e)
}

// withEvent returns the context of a change whose event is e, which it completes. The store keeps e with the change, and
// whoever records e afterwards takes it over from there.
func (a auditor) withEvent(c *edge.Request, e *event) context.Context {
	*e = a.about(c, *e)
	return store.WithEvent(c.Context(), e)
}

// about fills in what is known of the call.
func (a auditor) about(c *edge.Request, e event) event {
	if e.At.IsZero() {
		e.At = c.Begun
	}
	e.RequestID = c.ID
	e.KeyID = c.KeyID
	if c.Address.IsValid() {
		e.Address = c.Address.String()
	}
	if e.ClientID == "" {
		e.ClientID = c.ClientID
	}
	if e.Subject == "" {
		e.Subject = c.Subject
	}
	if e.SessionID == "" {
		e.SessionID = c.SessionID
	}
	switch {
	case c.Username != "":
		setDetail(&e, store.DetailUsername, c.Username)
	case c.TypedName != "": // it may be a password in the wrong field
		setDetail(&e, store.DetailNameHash, a.NameHash(c.TypedName))
		if a.showNames() {
			setDetail(&e, store.DetailTypedName, c.TypedName)
		}
	}
	return e
}

// revised adds the revision and the epoch of a record after a change: what is read later can be put in order
// without clocks.
func revised(e *event, revision, epoch uint32) {
	setDetail(e, store.DetailRevision, strconv.FormatUint(uint64(revision), 10))
	setDetail(e, store.DetailEpoch, strconv.FormatUint(uint64(epoch), 10))
}

func setDetail(e *event, name, value string) {
	if value == "" {
		return
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	e.Detail[name] = value
}

// unsureDeed records a change through the admin API whose outcome is not known.
func (a auditor) unsureDeed(c *edge.Request, typ string, refusal *edge.Error) {
	if c.KeyID == "" {
		c.KeyID = c.PathValue("kid")
	}
	a.add(c, event{Type: typ, Outcome: store.OutcomeUnknown, Actor: c.Actor, ClientID: c.PathValue("id"),
		Detail: map[string]string{store.DetailReason: refusal.Reason()}})
}

// deedType is the type of the event of an admin verb. The verbs for many users share one.
func deedType(verb string) string {
	if strings.Contains(verb, ".bulk_") {
		return store.EventUserBulk
	}
	return verb
}
