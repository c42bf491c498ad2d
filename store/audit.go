package store

import (
	"context"
	"time"
)

// Event is one line of the audit trail. It holds names and ids, never a token, password or secret.
type Event struct {
	Seq       uint64            `json:"seq"` // rises by one an event; given by the store
	At        time.Time         `json:"at"`
	Type      string            `json:"type"`    // what was done: login, refresh, revoke, client.create …
	Outcome   string            `json:"outcome"` // ok, refused, reuse …
	Actor     string            `json:"actor,omitempty"`
	ClientID  string            `json:"client_id,omitempty"`
	Subject   string            `json:"sub,omitempty"`
	SessionID string            `json:"sid,omitempty"`
	KeyID     string            `json:"kid,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
	Address   string            `json:"address,omitempty"` // the caller's IP address
	Detail    map[string]string `json:"detail,omitempty"`
}

// EventQuery selects events; zero fields select everything.
type EventQuery struct {
	After    uint64 // only events with a higher Seq
	Type     string
	ClientID string
	Subject  string
	Limit    int  // at most this many, and never more than 1000; 0 means 100
	Newest   bool // the newest Limit events that fit, still returned oldest first
}

// Audit keeps the newest part of the audit trail; the log has all of it.
type Audit interface {
	// AppendEvents adds events in order. It need not be durable when it returns.
	AppendEvents(ctx context.Context, events []Event) error
	// Events returns what the query selects, oldest first.
	Events(ctx context.Context, q EventQuery) ([]Event, error)
}
