package audit

import (
	"context"
	"net/http"
	"strconv"

	"signet/server/edge"
	"signet/store"
)

// The methods below record events of requests. They complete an event with the facts of its request.

// Change records a change of state, or what an operator did. It is always on the trail and in the log.
func (r *Recorder) Change(req *edge.Request, e store.Event) {
	req.Audited = true
	r.Record(r.complete(req, e))
}

// RateLimited records a change to what is the caller's own, which the caller can repeat at will. It is always in
// the log.
func (r *Recorder) RateLimited(req *edge.Request, e store.Event) {
	req.Audited = true
	r.recordRateLimited(r.complete(req, e), edge.Network(req.Address))
}

// Refused records a refusal, or anything else that an outsider can cause at will.
func (r *Recorder) Refused(req *edge.Request, e store.Event) {
	req.Audited = true
	r.recordRefused(r.complete(req, e), edge.Network(req.Address), req.Confidential)
}

// RefusedRequest records that a request was refused, with the given type. If a dependency failed in the step that
// changes something, the change may have been made: the type is then that of the change, and the outcome unknown.
func (r *Recorder) RefusedRequest(req *edge.Request, typ string, refused *edge.Error) {
	e := store.Event{Type: typ, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: refused.Reason()}}
	if refused.Status >= http.StatusInternalServerError {
		e.Outcome = store.OutcomeUnavailable
		if req.Changing != "" {
			e.Type, e.Outcome = req.Changing, store.OutcomeUnknown
		}
	}
	r.Refused(req, e)
}

// WithEvent completes events and returns the context for the change that they are about. The store keeps them together with the
// change; see store.WithEvent. Record them afterwards: they are taken over from there.
func (r *Recorder) WithEvent(req *edge.Request, events ...*store.Event) context.Context {
	ctx := req.Context()
	for _, e := range events {
		*e = r.complete(req, *e)
		ctx = store.WithEvent(ctx, e)
	}
	return ctx
}

// complete adds the facts of the request that e lacks.
func (r *Recorder) complete(req *edge.Request, e store.Event) store.Event {
	if e.At.IsZero() {
		e.At = req.Begun
	}
	e.RequestID = req.ID
	e.KeyID = req.KeyID
	if req.Address.IsValid() {
		e.Address = req.Address.String()
	}
	if e.ClientID == "" {
		e.ClientID = req.ClientID
	}
	if e.Subject == "" {
		e.Subject = req.Subject
	}
	if e.SessionID == "" {
		e.SessionID = req.SessionID
	}
	switch {
	case req.Username != "":
		setDetail(&e, store.DetailUsername, req.Username)
	case req.TypedName != "": // it may be a password in the wrong field
		setDetail(&e, store.DetailNameHash, r.NameHash(req.TypedName))
		if r.cfg.ShowNames() {
			setDetail(&e, store.DetailTypedName, req.TypedName)
		}
	}
	return e
}

// SetRevision adds the revision and the epoch of a record after a change: a reader can then put changes in order
// without clocks.
func SetRevision(e *store.Event, revision, epoch uint32) {
	setDetail(e, store.DetailRevision, strconv.FormatUint(uint64(revision), 10))
	setDetail(e, store.DetailEpoch, strconv.FormatUint(uint64(epoch), 10))
}

func setDetail(e *store.Event, name, value string) {
	if value == "" {
		return
	}
	if e.Detail == nil {
		e.Detail = map[string]string{}
	}
	e.Detail[name] = value
}
