package store

import (
	"context"
	"encoding/base64"
	"time"
)

// AssertionID names one client assertion (RFC 7523 §3): a digest of its client and its jti.
type AssertionID [16]byte

// String is the id as logs and exports have it.
func (id AssertionID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseAssertionID reads what String wrote, and nothing else.
func ParseAssertionID(s string) (AssertionID, error) { return parseID("assertion id", s) }

// MarshalText implements encoding.TextMarshaler.
func (id AssertionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *AssertionID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseAssertionID(string(text))
	return err
}

// AssertionMargin is how much longer than until a backend remembers an assertion: what has
// expired by the clock of the replica at which it was used may be valid for a while by another's.
const AssertionMargin = time.Minute

// Assertions remembers which client assertions were used.
type Assertions interface {
	// UseAssertion marks the assertion as used until `until`, when it has run out by itself, or answers
	// ErrExists when it was used before. One atomic step: of any number of concurrent calls one wins.
	// Durable like everything else here; a call whose outcome is unknown is an error other than ErrExists,
	// and may have used the assertion up. One that has run out is still answered ErrExists until it is
	// forgotten, at some time after AssertionMargin.
	UseAssertion(ctx context.Context, id AssertionID, until time.Time) error
}
