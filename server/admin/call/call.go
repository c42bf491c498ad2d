// Package call has what the verbs of the admin API share: a request whose caller was let in, the record of what the
// caller changed, the guard of a stream, and the words of errors.
package call

import (
	"context"

	"signet/server/audit"
	"signet/server/edge"
	"signet/store"
)

// Request is a request after its caller was let in. The caller's name is in Facts.Actor.
type Request struct {
	*edge.Request
	Rights  []string                        // scopes of the API that the caller has; api.ScopeAdmin is all of them
	Recheck func(ctx context.Context) error // whether the caller may still do what it does; nil: always
}

// Recorder records what operators do.
type Recorder struct {
	Audit *audit.Recorder
	Store store.Audit
}

// WithEvent returns the context of a change, which the caller records by OK afterwards. The store keeps the event
// together with the change.
func (rec Recorder) WithEvent(r *Request, e *store.Event) context.Context {
	e.Outcome, e.Actor = store.OutcomeOK, r.Actor
	return rec.Audit.WithEvent(r.Request, e)
}

// Begin records a change of several steps before the first of them. It fails where the store cannot keep the event.
func (rec Recorder) Begin(r *Request, e store.Event) error {
	if err := rec.Store.KeepEvent(rec.WithEvent(r, &e), &e); err != nil {
		return err
	}
	rec.OK(r, e)
	return nil
}

// OK records a change that was made.
func (rec Recorder) OK(r *Request, e store.Event) {
	e.Outcome, e.Actor = store.OutcomeOK, r.Actor
	rec.Audit.Change(r.Request, e)
}
