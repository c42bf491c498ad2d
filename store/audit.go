package store

import (
	"context"
	"net/netip"
	"slices"
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

	Outbox string `json:"-"` // the entry of the outbox that holds it; empty: none. See WithEvent
}

// EventQuery selects events; zero fields select everything.
type EventQuery struct {
	After    uint64   // only events with a higher Seq
	Types    []string // any of them
	ClientID string
	Subject  string
	About    *Person      // only events that concern this person
	Address  netip.Prefix // only events whose address is in it; the zero Prefix: any
	Since    time.Time    // only events at or after it; zero: any
	Until    time.Time    // only events before it; zero: any
	Limit    int          // at most this many, and never more than 1000; 0 means 100
	Newest   bool         // the newest Limit events that fit, still returned oldest first
}

// Person selects the events of one user: any of the fields may name it.
type Person struct {
	Subject    string
	Username   string
	NameHashes []string // see DetailNameHash; one for each key that may have been used
}

// Selects reports whether q selects e. Limit and Newest are for the caller.
func (q EventQuery) Selects(e Event) bool {
	return e.Seq > q.After &&
		(len(q.Types) == 0 || slices.Contains(q.Types, e.Type)) &&
		(q.ClientID == "" || q.ClientID == e.ClientID) &&
		(q.Subject == "" || q.Subject == e.Subject) &&
		(q.About == nil || q.About.in(e)) &&
		(q.Since.IsZero() || !e.At.Before(q.Since)) &&
		(q.Until.IsZero() || e.At.Before(q.Until)) &&
		(!q.Address.IsValid() || q.covers(e.Address))
}

func (q EventQuery) covers(address string) bool {
	addr, err := netip.ParseAddr(address)
	return err == nil && q.Address.Contains(addr.WithZone("").Unmap())
}

func (p *Person) in(e Event) bool {
	return p.Subject != "" && p.Subject == e.Subject ||
		p.Username != "" && p.Username == e.Detail[DetailUsername] ||
		e.Detail[DetailNameHash] != "" && slices.Contains(p.NameHashes, e.Detail[DetailNameHash])
}

// Audit keeps the newest part of the audit trail, so many events of each class (see ClassOf).
type Audit interface {
	// AppendEvents adds events in order. It need not be durable when it returns. An event that has an entry in the
	// outbox is taken out of it; where it is on the trail already, nothing is added.
	AppendEvents(ctx context.Context, events []Event) error
	// KeepEvent keeps e in the outbox and sets e.Outbox. It is for a change of several steps, before the first of
	// them. It is durable when it returns.
	KeepEvent(ctx context.Context, e *Event) error
	// DropEvents takes entries out of the outbox whose events are not to be on the trail. It need not be durable
	// when it returns.
	DropEvents(ctx context.Context, outbox []string) error
	// Events returns what the query selects, oldest first, whatever the classes.
	Events(ctx context.Context, q EventQuery) ([]Event, error)
}
