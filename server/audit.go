package server

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"signet/server/audit"
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
func (a auditor) add(c *call, e event) {
	c.audited = true
	a.Record(a.about(c, e))
}

// repeatable records a change to what is the caller's own.
func (a auditor) repeatable(c *call, e event) {
	c.audited = true
	a.RecordRepeatable(a.about(c, e), network(c.address))
}

// refusal records that a request was refused.
func (a auditor) refusal(c *call, e event) {
	c.audited = true
	a.RecordRefusal(a.about(c, e), network(c.address), c.client != nil && !c.client.Public)
}

// refused records a refusal of which nothing else was recorded. Where a dependency failed in the step
// that changes something, the change may have been made.
func (a auditor) refused(c *call, rt *route, refusal *oauthError) {
	e := event{Type: rt.name, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: refusal.reason()}}
	if refusal.Status >= http.StatusInternalServerError {
		e.Outcome = store.OutcomeUnavailable
		if c.changing != "" {
			e.Type, e.Outcome = c.changing, store.OutcomeUnknown
		}
	}
	a.refusal(c, e)
}

// withEvent returns the context of a change whose event is e, which it completes. The store keeps e with the change, and
// whoever records e afterwards takes it over from there.
func (a auditor) withEvent(c *call, e *event) context.Context {
	*e = a.about(c, *e)
	return store.WithEvent(c.Context(), e)
}

// about fills in what is known of the call.
func (a auditor) about(c *call, e event) event {
	if e.At.IsZero() {
		e.At = c.begun
	}
	e.RequestID = c.id
	e.KeyID = c.kid
	if c.address.IsValid() {
		e.Address = c.address.String()
	}
	if c.client != nil && e.ClientID == "" {
		e.ClientID = c.client.ID
	}
	if e.Subject == "" {
		e.Subject = c.subject
	}
	if e.SessionID == "" && !c.session.IsZero() {
		e.SessionID = c.session.String()
	}
	switch {
	case c.username != "":
		setDetail(&e, store.DetailUsername, c.username)
	case c.typedName != "": // it may be a password in the wrong field
		setDetail(&e, store.DetailNameHash, a.NameHash(c.typedName))
		if a.showNames() {
			setDetail(&e, store.DetailTypedName, c.typedName)
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
func (a auditor) unsureDeed(c *call, typ string, refusal *oauthError) {
	if c.kid == "" {
		c.kid = c.PathValue("kid")
	}
	a.add(c, event{Type: typ, Outcome: store.OutcomeUnknown, Actor: c.actor, ClientID: c.PathValue("id"),
		Detail: map[string]string{store.DetailReason: refusal.reason()}})
}

// deedType is the type of the event of an admin verb. The verbs for many users share one.
func deedType(verb string) string {
	if strings.Contains(verb, ".bulk_") {
		return store.EventUserBulk
	}
	return verb
}
