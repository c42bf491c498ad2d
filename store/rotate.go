package store

import (
	"math"
	"time"
)

// UserStatus is the part of a user that decides about a rotation.
type UserStatus struct {
	Missing   bool // there is no such user
	Disabled  bool
	Epoch     uint32
	NotBefore time.Time
}

// Status returns what decides about the rotations of u's sessions.
func (u *User) Status() UserStatus {
	return UserStatus{Disabled: u.Disabled, Epoch: u.Epoch, NotBefore: u.NotBefore}
}

// Decide is the whole decision of Sessions.Rotate, without the storing: every backend must come to
// the same answer. The zero Session stands for "no record". It returns the record as it is to be
// kept from now on, where the zero Session means that it is deleted (or never was) and a record
// equal to s that nothing is written.
//
// The order of the questions matters: a client that presents another client's token must not learn
// or change anything, a revocation outranks the end of a lifetime, and both outrank the generation,
// so that a token of a session that is over anyway is not reported as a theft.
func Decide(s Session, u UserStatus, r Rotation) (Session, Outcome) {
	if s.ID.IsZero() || s.ClientID != r.ClientID {
		return s, Gone
	}
	now := Millis(r.Now)
	if now.Before(s.RotatedAt) { // a replica's clock is behind the one that rotated last
		now = s.RotatedAt
	}
	switch {
	case u.Missing || u.Disabled || s.UserEpoch != u.Epoch:
		return Session{}, Revoked
	case s.ClientEpoch > r.ClientEpoch && !r.ClientConfirmed:
		return s, Stale
	case s.ClientEpoch != r.ClientEpoch || s.StartedAt.Before(Millis(u.NotBefore)) || s.StartedAt.Before(Millis(r.NotBefore)):
		return Session{}, Revoked
	}
	if r.Lifetimes.Ended(s, now) {
		return Session{}, Gone
	}
	return decideGeneration(s, r, now)
}

func decideGeneration(s Session, r Rotation, now time.Time) (Session, Outcome) {
	switch {
	case r.Generation < s.Generation:
		return decidePredecessor(s, r, now)
	case r.Generation == math.MaxUint32: // no successor can be counted: the session has worn out
		return Session{}, Gone
	case r.Generation == s.Generation:
		return s.rotated(s.Generation+1, now, r), Rotated
	case !r.Loss.Heals(s.RotatedAt, now):
		return s, Ahead
	default:
		return s.rotated(r.Generation+1, now, r), Healed
	}
}

// decidePredecessor decides about a generation that has a successor. The last millisecond of both
// windows still belongs to them.
func decidePredecessor(s Session, r Rotation, now time.Time) (Session, Outcome) {
	if predecessor, ok := s.Predecessor(); !ok || r.Generation != predecessor {
		return Session{}, Reused
	}
	age := now.Sub(s.RotatedAt)
	switch {
	case r.Grace > 0 && age <= r.Grace && s.Replays < r.MaxReplays:
		s.Replays++
		return s, Replayed
	case r.Grace > 0 && age <= r.Grace: // more often than any app loses an answer
		return Session{}, Reused
	case r.Late > 0 && age <= r.Late && s.Skipped < math.MaxUint16 && s.Generation < math.MaxUint32:
		skipped := s.Skipped + 1
		s = s.rotated(s.Generation+1, now, r)
		s.Skipped = skipped
		return s, Late
	default:
		return Session{}, Reused
	}
}

func (s Session) rotated(generation uint32, now time.Time, r Rotation) Session {
	s.Generation, s.RotatedAt, s.Replays, s.Skipped, s.Address = generation, now, 0, 0, NetworkOf(r.Address)
	s.Device = 0 // an app has rotated it, which is no browser
	return s
}

// Millis is t as every backend keeps it: in UTC, to the millisecond, zero staying zero.
func Millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// Later is the later one of two times.
func Later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
