package store

import (
	"context"
	"iter"
	"time"
)

// Record is one thing that moves from one backend to another. Exactly one field is set.
type Record struct {
	Client       *Client       `json:"client,omitempty"`
	User         *User         `json:"user,omitempty"`
	Session      *Session      `json:"session,omitempty"` // comes after its user
	RevokedToken *RevokedToken `json:"revoked_token,omitempty"`

	UsedAssertion *UsedAssertion `json:"spent_assertion,omitempty"`

	UsedCode *UsedCode `json:"redeemed_code,omitempty"` // comes after its user

	Loss *Loss `json:"loss,omitempty"` // where there are several the last one stays

	Event *Event `json:"event,omitempty"` // oldest first; its Seq is given anew
}

// ChangedAt is when the record was last changed; zero for one that has no such time.
func (r Record) ChangedAt() time.Time {
	switch {
	case r.Client != nil:
		return r.Client.UpdatedAt
	case r.User != nil:
		return r.User.UpdatedAt
	case r.Session != nil:
		return r.Session.RotatedAt
	case r.Event != nil:
		return r.Event.At
	}
	return time.Time{}
}

// RevokedToken is an access token that was revoked by itself.
type RevokedToken struct {
	JTI   string    `json:"jti"`
	Until time.Time `json:"until"`
}

// UsedAssertion is a client assertion that was used. It moves so that it cannot be used once more
// in the other backend; see Assertions.
type UsedAssertion struct {
	ID    AssertionID `json:"id"`
	Until time.Time   `json:"until"`
}

// Manifest is the install that a backend's data belong to, with its keyring.
type Manifest struct {
	Install        Install `json:"install"` // its Schema is the exporter's layout; the importer writes its own
	KeyringVersion uint64  `json:"keyring_version"`
	Keyring        []byte  `json:"keyring"` // sealed
}

// Exporter is a backend whose data can move. Throttle counts and heartbeats do not: they expire
// before they would arrive.
type Exporter interface {
	// Manifest returns the install and the keyring. ErrNotFound where either is missing.
	Manifest(ctx context.Context) (Manifest, error)
	// Export visits every record. What changes meanwhile may be seen before or after the change; a
	// backend that can shows one moment.
	Export(ctx context.Context, visit func(Record) error) error
}

// Importer is a backend that data can move into.
type Importer interface {
	// Import writes the records into a backend that holds nothing, and the manifest last: until it
	// is there no server starts on them. An import that broke off may be begun again. ErrExists where
	// the backend already holds an install or anything else. A client, user, username or session that
	// comes twice and a session without its user are errors that name the record.
	Import(ctx context.Context, m Manifest, records iter.Seq2[Record, error]) error
}
