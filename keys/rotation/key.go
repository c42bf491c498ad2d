package rotation

import (
	"errors"
	"time"

	"signet/keys/timetable"
)

// State is the stage that a key has reached in its life.
type State string

// The states, in their order.
const (
	Pending State = "pending" // does not sign yet; in the key set from PublishAt
	Active  State = "active"  // signs
	Retired State = "retired" // no longer signs, still verifies
	Removed State = "removed" // gone from the key set
	Revoked State = "revoked" // gone from the key set before its time
)

// Key is the timetable of one signing key. A zero time means never. Nothing sets a flag when a time
// comes: State compares. The key material is kept elsewhere, under the same kid.
type Key struct {
	KID        string    `json:"kid"` // the RFC 7638 thumbprint
	Alg        string    `json:"alg"`
	CreatedAt  time.Time `json:"created_at"`
	PublishAt  time.Time `json:"publish_at"`          // in the key set from here
	ActivateAt time.Time `json:"activate_at"`         // signs from here
	RetireAt   time.Time `json:"retire_at,omitzero"`  // the moment its successor activates
	RemoveAt   time.Time `json:"remove_at,omitzero"`  // out of the key set from here
	RevokedAt  time.Time `json:"revoked_at,omitzero"` // set: revoked, at every time; it overrides the rest

	// ChangedAt is when an unplanned change was made, for operators: the time of the change itself lies up to Skew
	// before. Zero: there was none, or the keyring was written before it was recorded.
	ChangedAt time.Time `json:"changed_at,omitzero"`

	// Hold is the least time that the key stays in the key set after it has retired: the hold of the longest
	// timetable that it was to sign under, so that a shorter timetable does not remove it while tokens that
	// it signed are alive. Zero in keyrings that were written before it was recorded.
	Hold time.Duration `json:"hold,omitempty"`
}

// State returns the state at now. A planned step is taken when its time has come. A revocation is a
// fact, and no clock undoes it.
func (k Key) State(now time.Time) State {
	switch {
	case !k.RevokedAt.IsZero():
		return Revoked
	case reached(k.RemoveAt, now):
		return Removed
	case reached(k.RetireAt, now):
		return Retired
	case reached(k.ActivateAt, now):
		return Active
	default:
		return Pending
	}
}

// Published reports whether the key is in the key set at now.
func (k Key) Published(now time.Time) bool {
	switch k.State(now) {
	case Pending, Active, Retired:
		return reached(k.PublishAt, now)
	default:
		return false
	}
}

// reached reports whether t is a time and has come at now.
func reached(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// changes returns the times at which the key's state or publication changes.
func (k Key) changes() [5]time.Time {
	return [5]time.Time{k.PublishAt, k.ActivateAt, k.RetireAt, k.RemoveAt, k.RevokedAt}
}

// keyStep is a step of a key's life and its time; zero: never.
type keyStep struct {
	name string // published, or the state that begins
	at   time.Time
}

// steps returns the planned steps of the key.
func (k Key) steps() [4]keyStep {
	return [4]keyStep{{"published", k.PublishAt}, {string(Active), k.ActivateAt}, {string(Retired), k.RetireAt}, {string(Removed), k.RemoveAt}}
}

// Since returns when the key's state at now began, as an operator saw it: a change that is dated back counts from when
// it was made. A pending key is pending since it was made.
func (k Key) Since(now time.Time) time.Time {
	began := k.CreatedAt // after ActivateAt for an install's first key: see First
	switch k.State(now) {
	case Revoked:
		began = later(k.RevokedAt, k.ChangedAt)
	case Removed:
		began = k.RemoveAt
	case Retired:
		began = later(k.RetireAt, k.ChangedAt)
	case Active:
		began = later(k.ActivateAt, later(k.CreatedAt, k.ChangedAt))
	}
	return began
}

// Next returns the next planned step after now: "published" or the state that begins, and when. The
// step is empty where nothing is planned.
func (k Key) Next(now time.Time) (step string, at time.Time) {
	if state := k.State(now); state == Revoked || state == Removed {
		return "", time.Time{}
	}
	for _, s := range k.steps() {
		if s.at.IsZero() || reached(s.at, now) {
			continue
		}
		if at.IsZero() || s.at.Before(at) {
			step, at = s.name, s.at
		}
	}
	return step, at
}

// Step names a change of the keyring.
type Step string

// The steps. A replica that has written one announces it.
const (
	StepCreated   Step = "created"     // a key was made; At is when it is published
	StepScheduled Step = "scheduled"   // an activation or an end was planned anew; At is when
	StepActivated Step = "activated"   // a key began to sign
	StepRetired   Step = "retired"     // a key stopped signing
	StepRemoved   Step = "removed"     // a key left the key set for good
	StepRevoked   Step = "revoked"     // an operator took a key out of service
	StepLeaving   Step = "leaving"     // an algorithm that is not configured ends at At, unless a replica cancels that
	StepKept      Step = "kept"        // a replica canceled it
	StepRewrapped Step = "rewrapped"   // the keyring was sealed under another master key
	StepReset     Step = "clock_reset" // an operator declared the latest time that was seen wrong; At is the time that counts instead
)

// Transition is one change of the keyring.
type Transition struct {
	Step Step
	KID  string // empty for a step about an algorithm
	Alg  string
	At   time.Time
}

var (
	// ErrAlgorithm: no key signs with that algorithm at this moment.
	ErrAlgorithm = errors.New("no active signing key for the algorithm")

	// ErrUnknownKey: the install never had a key of that kid.
	ErrUnknownKey = errors.New("there is no key of that kid")

	// ErrRevoked: the key was revoked before.
	ErrRevoked = errors.New("the key was revoked before")

	// ErrGone: the key has left the key set at the end of its life.
	ErrGone = errors.New("the key is gone already")
)

// retention returns how long the key stays in the key set after it has retired.
func (k Key) retention(t timetable.Timetable) time.Duration { return max(t.Retain, k.Hold) }

// removalAfter returns when a key is removed whose end was brought forward. A replica that has not read of it
// signs for SignStale more; and the clock that brought it forward may be Skew behind the one that removes it.
func (k Key) removalAfter(t timetable.Timetable, retireAt time.Time) time.Time {
	return retireAt.Add(k.retention(t) + t.Skew)
}
