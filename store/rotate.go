package store

import (
	"math"
	"time"
)

// Standing is what a rotation must know about the session's user at this moment.
type Standing struct {
	Missing   bool // there is no such user
	Disabled  bool
	NotBefore time.Time
}

// Standing returns u's standing.
func (u *User) Standing() Standing {
	return Standing{Disabled: u.Disabled, NotBefore: u.NotBefore}
}

// Decide is the whole decision of Sessions.Rotate, without the storing: every backend must come to
// the same answer. The zero Session stands for "no record". It returns the record as it is to be
// kept from now on, where the zero Session means that it is deleted (or never was) and a record
// equal to s that nothing is written.
//
// The order of the questions matters: somebody who presents another client's token must not learn
// or change anything, a revocation outranks the end of a lifetime, and both outrank the generation,
// so that a token of a session that is over anyway is not reported as a theft.
func Decide(s Session, u Standing, r Rotation) (Session, Outcome) {
	if s.ID.IsZero() || s.ClientID != r.ClientID {
		return s, Gone
	}
	now := Millis(r.Now)
	if now.Before(s.RotatedAt) { // a replica's clock is behind the one that rotated last
		now = s.RotatedAt
	}
	if u.Missing || u.Disabled || s.StartedAt.Before(Millis(u.NotBefore)) || s.StartedAt.Before(Millis(r.NotBefore)) {
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
		if !replayable(s, r, now) {
			return Session{}, Reused
		}
		s.Replays++
		return s, Replayed
	case r.Generation == math.MaxUint32: // no successor can be counted: the session has worn out
		return Session{}, Gone
	case r.Generation == s.Generation:
		return s.rotated(s.Generation+1, now), Rotated
	default:
		return s.rotated(r.Generation+1, now), Healed
	}
}

// replayable reports whether r presents the immediate predecessor within its bounds. The last
// millisecond of the grace window still belongs to it.
func replayable(s Session, r Rotation, now time.Time) bool {
	return r.Generation == s.Generation-1 &&
		r.Grace > 0 && now.Sub(s.RotatedAt) <= r.Grace &&
		s.Replays < r.MaxReplays
}

func (s Session) rotated(generation uint32, now time.Time) Session {
	s.Generation, s.RotatedAt, s.Replays = generation, now, 0
	return s
}

// Millis is t as every backend keeps it: in UTC, to the millisecond, zero staying zero.
func Millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}
