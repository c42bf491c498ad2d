package store

import (
	"context"
	"slices"
	"time"
)

// The outbox closes the gap between a change and its audit event, which is appended in a second step. A store keeps
// the event of a change in its outbox, in the same atomic step as the change. AppendEvents takes it out again and puts
// the whole event on the trail. An entry that a crash has left in the outbox reaches the trail by itself: the embedded
// store appends it when it opens, and Sweep appends what is older than OutboxAfter. An event that was appended is not
// appended again: its entry names it.

// OutboxAfter is how long an event is in the outbox before Sweep appends it. It is longer than a recorder needs.
const OutboxAfter = time.Minute

type eventKey struct{}

// WithEvent returns the context of one change whose audit event is e, in addition to the events that ctx has. The methods
// of Clients, Users, Sessions and Logins that change something, RevokeToken and SwapKeyring keep e in the outbox together
// with what they write, and then set e.Outbox. Where they write nothing, or fail, they keep nothing. The function that is
// passed to UpdateUser or UpdateClient may still complete e. Rotate has Rotation.RequestID instead.
func WithEvent(ctx context.Context, e *Event) context.Context {
	events, _ := ctx.Value(eventKey{}).([]*Event)
	return context.WithValue(ctx, eventKey{}, append(slices.Clip(events), e))
}

// WithoutEvents returns ctx without events, for a step that comes before the change itself.
func WithoutEvents(ctx context.Context) context.Context {
	return context.WithValue(ctx, eventKey{}, []*Event(nil))
}

// EventsOf returns the events of WithEvent, without those that are in the outbox already.
func EventsOf(ctx context.Context) (events []*Event) {
	all, _ := ctx.Value(eventKey{}).([]*Event)
	for _, e := range all {
		if e.Outbox == "" {
			events = append(events, e)
		}
	}
	return events
}

// Event returns the type and the outcome of the audit event of a rotation; ok is false for an outcome that changes
// nothing that is recorded.
func (o Outcome) Event() (typ, outcome string, ok bool) {
	switch o {
	case Late:
		return EventRefreshLate, OutcomeOK, true
	case Reused:
		return EventRefreshReuse, o.String(), true
	case Healed, Revoked:
		return EventRefresh, o.String(), true
	}
	return "", "", false
}

// Outbox is the name of the entry that holds the event of the rotation, where its outcome has one; empty: none is
// kept. A request makes one rotation.
func (r *Rotation) Outbox() string {
	if r.RequestID == "" {
		return ""
	}
	return r.UserID.String() + "/" + r.RequestID
}

// RotationEvent is the event of a rotation as a store keeps it in the outbox: without the details that
// AppendEvents adds.
func RotationEvent(r Rotation, o Outcome) Event {
	e := Event{At: Millis(r.Now), ClientID: r.ClientID, Subject: r.UserID.String(), SessionID: r.SessionID.String(), RequestID: r.RequestID}
	e.Type, e.Outcome, _ = o.Event()
	if r.Address.IsValid() {
		e.Address = r.Address.String()
	}
	return e
}
