package keys

import "time"

// State is where a key stands in its life.
type State string

const (
	Pending State = "pending" // does not sign yet; in the key set from PublishAt
	Active  State = "active"  // signs
	Retired State = "retired" // signs no more, verifies still
	Removed State = "removed" // gone from the key set
	Revoked State = "revoked" // gone from the key set before its time
)

// Key is one signing key with its timetable. A zero time means never. Nothing flips a flag when a
// time comes: State compares.
type Key struct {
	KID        string    `json:"kid"` // the RFC 7638 thumbprint
	Alg        string    `json:"alg"`
	CreatedAt  time.Time `json:"created_at"`
	PublishAt  time.Time `json:"publish_at"`          // in the key set from here
	ActivateAt time.Time `json:"activate_at"`         // signs from here
	RetireAt   time.Time `json:"retire_at,omitzero"`  // the moment its successor activates
	RemoveAt   time.Time `json:"remove_at,omitzero"`  // out of the key set from here
	RevokedAt  time.Time `json:"revoked_at,omitzero"` // set: revoked, at every time; it overrides the rest

	// Hold is how long the key stays in the key set after it has retired, at least: X+S+T+L of the
	// longest timetable that it was to sign under, so that a shorter timetable does not take it from
	// under the tokens that it has signed. Zero in keyrings that were written before it was recorded.
	Hold time.Duration `json:"hold,omitempty"`

	private *privateKey // nil in tests of the timetable; a pointer, so that nothing prints it
}

// State is what the key is at now. A planned step has been taken when its time has come; a revocation
// is a fact, and no clock undoes it.
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

// changes returns the times at which the key's state or publication changes.
func (k Key) changes() [5]time.Time {
	return [5]time.Time{k.PublishAt, k.ActivateAt, k.RetireAt, k.RemoveAt, k.RevokedAt}
}

// keyStep is a step of a key's life and when it is; zero: never.
type keyStep struct {
	name string // published, or the state that begins
	at   time.Time
}

// steps are those that a key takes by itself.
func (k Key) steps() [4]keyStep {
	return [4]keyStep{{"published", k.PublishAt}, {string(Active), k.ActivateAt}, {string(Retired), k.RetireAt}, {string(Removed), k.RemoveAt}}
}

// since is when the key's state of now began; a pending key has been so since it was made.
func (k Key) since(now time.Time) time.Time {
	switch k.State(now) {
	case Revoked:
		return k.RevokedAt
	case Removed:
		return k.RemoveAt
	case Retired:
		return k.RetireAt
	case Active:
		return later(k.ActivateAt, k.CreatedAt) // an install's first key: see First
	default:
		return k.CreatedAt
	}
}

// KeyInfo is what an operator sees of a key.
type KeyInfo struct {
	Key
	Held   string    `json:"held"` // where its private half is: Local, or the name of a Provider
	State  State     `json:"state"`
	Since  time.Time `json:"since"`            // in that state
	Next   string    `json:"next,omitempty"`   // published, or the state that comes next; empty: nothing is planned
	NextAt time.Time `json:"next_at,omitzero"` // when
}

// info describes the key at now.
func (k Key) info(now time.Time) KeyInfo {
	info := KeyInfo{Key: k, Held: k.held(), State: k.State(now), Since: k.since(now)}
	info.private = nil
	for _, step := range k.steps() {
		if info.State == Revoked || info.State == Removed || step.at.IsZero() || reached(step.at, now) {
			continue
		}
		if info.NextAt.IsZero() || step.at.Before(info.NextAt) {
			info.Next, info.NextAt = step.name, step.at
		}
	}
	return info
}

// Local is where the private half of a key is that is sealed in the keyring itself.
const Local = "local"

// held says where the key's private half is.
func (k Key) held() string {
	if k.private != nil {
		if remote := k.private.Reveal().remote; remote != nil {
			return remote.provider.Name()
		}
	}
	return Local
}
