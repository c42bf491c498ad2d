package store

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/netip"
	"time"
)

// SessionID is 128 random bits: the sid claim of every token of the session.
type SessionID [16]byte

// String is the id as it stands in a sid claim.
func (id SessionID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// IsZero reports whether id names no session.
func (id SessionID) IsZero() bool { return id == SessionID{} }

// ParseSessionID reads what String wrote, and nothing else.
func ParseSessionID(s string) (SessionID, error) { return parseID("session id", s) }

// parseID reads 16 bytes in base64url as they are written here; what names them in the error.
func parseID(what, s string) (id [16]byte, err error) {
	if len(s) != base64.RawURLEncoding.EncodedLen(len(id)) { // the decoder would skip line breaks
		return id, fmt.Errorf("%s is not %d base64url bytes", what, len(id))
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) != len(id) {
		return id, fmt.Errorf("%s is not %d base64url bytes", what, len(id))
	}
	return [16]byte(raw), nil
}

// MarshalText implements encoding.TextMarshaler.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *SessionID) UnmarshalText(text []byte) error {
	parsed, err := ParseSessionID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// Session is one login of one user in one client. What never changes in it and is not needed to
// decide (scope, audience) travels in the refresh token itself and is not kept.
type Session struct {
	ID         SessionID `json:"sid"`
	UserID     UserID    `json:"sub"`
	ClientID   string    `json:"client_id"`
	Generation uint32    `json:"generation"` // how often its refresh token was rotated
	Replays    uint16    `json:"replays"`    // how often this generation's predecessor was answered again
	StartedAt  time.Time `json:"started_at"` // the login: auth_time
	RotatedAt  time.Time `json:"rotated_at"` // the last rotation; StartedAt before the first

	UserEpoch   uint32     `json:"user_epoch,omitempty"`   // the user's when it began
	ClientEpoch uint32     `json:"client_epoch,omitempty"` // the client's when it began
	Skipped     uint16     `json:"skipped,omitempty"`      // generations between its predecessor and Generation that late refreshes have skipped
	Address     netip.Addr `json:"address,omitzero"`       // of the last rotation or the login, see NetworkOf; may be missing

	// Parent is the session of the user that it began from: that of the browser in which the user is signed in. It ends with
	// it, but not with the lifetime of that one. Zero: none. A parent has no parent.
	Parent SessionID `json:"parent,omitzero"`

	Device Device `json:"device,omitzero"` // of the browser, where it is the session of one
}

// Predecessor is the generation whose holder gets the answer again; see Replayed and Late. A session
// that was never rotated has none.
func (s *Session) Predecessor() (generation uint32, ok bool) {
	back := uint32(s.Skipped) + 1
	return s.Generation - back, back <= s.Generation
}

// NetworkOf is what a session keeps of an address: an IPv4 address, or the first 8 bytes of an IPv6
// address, which name a network of one subscriber.
func NetworkOf(a netip.Addr) netip.Addr {
	if a = a.Unmap().WithZone(""); !a.Is6() {
		return a
	}
	network, _ := a.Prefix(64)
	return network.Addr()
}

// Lifetimes bounds a session.
type Lifetimes struct {
	Idle     time.Duration // since RotatedAt; must be positive
	Absolute time.Duration // since StartedAt; must be positive
}

// Ended reports whether s has outlived l at now.
func (l Lifetimes) Ended(s Session, now time.Time) bool {
	return now.Sub(s.RotatedAt) >= l.Idle || now.Sub(s.StartedAt) >= l.Absolute
}

// SessionLimits is how many sessions there may be, and how long.
type SessionLimits struct {
	PerUser  int           // 0 or less: any number
	Absolute time.Duration // after which the session is over and a backend may forget it; 0: never
}

// Rotation is a refresh token presented for its successor.
type Rotation struct {
	UserID     UserID
	SessionID  SessionID
	ClientID   string
	Generation uint32 // the presented token's
	Now        time.Time
	Lifetimes  Lifetimes
	Grace      time.Duration // how long after a rotation its predecessor is answered again; 0: never
	MaxReplays uint16        // how often at most inside Grace
	NotBefore  time.Time     // of the client: a session begun before it is revoked; zero: none

	// Late is how long after a rotation the predecessor is answered with a new successor when Grace is
	// over and the successor was never presented; 0: never.
	Late            time.Duration
	ClientEpoch     uint32     // of the client as the caller has it
	ClientConfirmed bool       // the caller has read the client again, because of Stale
	Loss            Loss       // the last one that the caller has read, see Losses
	Address         netip.Addr // the caller's, kept with the session
	RequestID       string     // of the audit event, which is kept in the outbox where the outcome has one; empty: none is kept
}

// Outcome is what Rotate found.
type Outcome uint8

const (
	// Gone: no such session, or its lifetime is over, or it belongs to another client. A session
	// whose lifetime is over is deleted; another client's is not touched.
	Gone Outcome = iota
	// Rotated: the presented generation was current; it is now one higher.
	Rotated
	// Replayed: the presented generation is the immediate predecessor, inside the grace window and
	// within the replay bound. Only Replays has changed; the window has not been extended.
	Replayed
	// Late: as Replayed, after the grace window, within Rotation.Late and while the stored
	// generation was never presented. That one is skipped: the session is one generation higher, its predecessor is
	// the same as before, and the skipped one is Reused.
	Late
	// Reused: a skipped generation or an older one. The session has been ended.
	Reused
	// Healed: a newer generation than the stored one, of a session whose rotation Rotation.Loss may have
	// lost. The session has been moved on to one above the presented generation.
	Healed
	// Revoked: the user is gone or disabled, or the session began in another epoch of the user or
	// client, or before the NotBefore of either. It has been deleted.
	Revoked
	// Stale: the session began in a later epoch of the client than the caller's. Nothing was changed:
	// the caller reads the client again and asks once more, with ClientConfirmed.
	Stale
	// Ahead: a newer generation than the stored one, and no loss explains it. Nothing was changed: the
	// caller asks for the last Loss and, where it is a later one, decides again.
	Ahead
)

// GoesOn reports whether the session has a successor for the caller.
func (o Outcome) GoesOn() bool { return o == Rotated || o == Replayed || o == Healed || o == Late }

// String is the word used in logs and metrics.
func (o Outcome) String() string {
	switch o {
	case Rotated:
		return "rotated"
	case Replayed:
		return "replayed"
	case Reused:
		return "reuse"
	case Healed:
		return "healed"
	case Late:
		return "late"
	case Revoked:
		return "revoked"
	case Stale:
		return "stale"
	case Ahead:
		return "ahead"
	default:
		return "gone"
	}
}

// Sessions keeps the sessions and decides about their refresh tokens.
type Sessions interface {
	// StartSession begins s, whose ID, UserID, ClientID, ClientEpoch and StartedAt are set, and returns it with
	// the user of this moment, whose epoch it gets. Where the user's NotBefore is later, StartedAt becomes that. Beyond
	// b.PerUser sessions of one user the oldest end, and of those of one sign-in the least recently used. ErrNotFound or
	// ErrDisabled when the user is.
	//
	// Where a session ends otherwise than by its lifetime, here or below, those that have it for Parent end in the same step.
	StartSession(ctx context.Context, s Session, b SessionLimits) (Session, User, error)

	// RedeemCode begins the session that an authorization code stands for, in one atomic step, and returns it with the user of this
	// moment. The code can be redeemed once, because a session with this id begins once: a mark keeps the id until the
	// code has expired (until) and AssertionMargin more, whatever becomes of the session. Nothing is kept of a code before.
	//
	// s is as for StartSession, and has RotatedAt (now; StartedAt is when the user signed in), UserEpoch (the user's when the code was made)
	// and Parent, if there is one: its RotatedAt becomes that of s, because it was used, and it never makes room for s.
	//
	// ErrExists: the code was redeemed before. Where the session is still there it ends in the same step, and is
	// returned as it was. ErrDisabled when the user is. ErrNotFound: the user is not there, has another epoch or a later
	// NotBefore than StartedAt; or the parent is not there; or the code is from before the last Loss and may have been redeemed.
	//
	// Of the events of the context (WithEvent) those of type EventCodeReuse are kept where a session ends, the others where it begins.
	RedeemCode(ctx context.Context, s Session, b SessionLimits, until time.Time) (Session, User, error)

	// Rotate decides about one presented refresh token in one atomic step and returns the outcome.
	// Where that GoesOn, the session is returned as it now is, with the user of this moment;
	// after Reused the session is returned as it was before it ended. After an error the outcome is unknown: the caller
	// answers 503 and the client repeats the request.
	Rotate(ctx context.Context, r Rotation) (Session, User, Outcome, error)

	// RevokeSession ends one session, and those that have it for Parent, and reports whether there was one. Ending what is not there
	// is no error.
	RevokeSession(ctx context.Context, user UserID, id SessionID) (existed bool, err error)

	// RevokeSessions raises the user's epoch, ends every session of the user that is there, and returns
	// how many there were. ErrNotFound when there is no such user.
	RevokeSessions(ctx context.Context, user UserID) (int, error)

	// ListSessions returns the sessions of one user, oldest first, ended ones left out.
	ListSessions(ctx context.Context, user UserID, now time.Time, l Lifetimes) ([]Session, error)
}
