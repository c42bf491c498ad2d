package rotation

import (
	"slices"
	"time"
)

// Keyring is every signing key with its timetable, and what must be remembered of keys that are gone. It
// is a value; a change is made to a copy.
type Keyring struct {
	Keys       []Key       `json:"keys"`
	Tombstones []Tombstone `json:"tombstones,omitempty"`
	Leaving    []Leaving   `json:"leaving,omitempty"`

	// SeenAt is the latest time that was known when the keyring was last changed. The keyring is never
	// evaluated as of an earlier moment, so that no key moves backwards with a clock.
	SeenAt time.Time `json:"seen_at,omitzero"`
	// ClockResets counts how often an operator declared SeenAt and the marks of replicas wrong. Of two latest
	// times the one after more resets counts.
	ClockResets uint32 `json:"clock_resets,omitempty"`
}

// Tombstone remembers the kid of a key that is gone, so that it never comes back.
type Tombstone struct {
	KID       string    `json:"kid"`
	RemovedAt time.Time `json:"removed_at"`
	Revoked   bool      `json:"revoked,omitempty"`
}

// Leaving is an algorithm that some replica is not configured for. While a new configuration rolls out,
// replicas differ; the algorithm therefore ends only when no replica has canceled that until At.
type Leaving struct {
	Alg       string    `json:"alg"`
	At        time.Time `json:"at,omitzero"`         // zero: canceled
	KeptUntil time.Time `json:"kept_until,omitzero"` // after a cancellation: the end is not announced again before this
}

// KeySet is the keys that sign and those that are published at one moment, and for how long that holds.
type KeySet struct {
	Active    []Key     // exactly one for each live algorithm
	Published []Key     // the active keys, then the others
	From      time.Time // the key set holds from here; zero: no start
	Until     time.Time // and changes here; zero: never
}

// At returns the key set at now. Every replica that holds this keyring computes the same.
func (r Keyring) At(now time.Time) KeySet {
	now = later(now, r.SeenAt)
	var s KeySet
	var others []Key
	for _, k := range r.Keys {
		if k.RevokedAt.IsZero() { // nothing changes after a revocation
			for _, t := range k.changes() {
				s.bound(t, now)
			}
		}
		switch {
		case k.State(now) == Active:
			s.Active = append(s.Active, k)
		case k.Published(now):
			others = append(others, k)
		}
	}
	s.Published = slices.Concat(s.Active, others)
	return s
}

// bound narrows From and Until by one time of change.
func (s *KeySet) bound(t, now time.Time) {
	switch {
	case t.IsZero():
	case !now.Before(t):
		if s.From.Before(t) {
			s.From = t
		}
	case s.Until.IsZero(), t.Before(s.Until):
		s.Until = t
	}
}

// Holds reports whether the key set is still right at now.
func (s KeySet) Holds(now time.Time) bool {
	return !now.Before(s.From) && (s.Until.IsZero() || now.Before(s.Until))
}

// SortBy puts the keys of algs first and in that order. Equal keys keep their places.
func (s *KeySet) SortBy(algs []string) {
	rank := func(k Key) int {
		if i := slices.Index(algs, k.Alg); i >= 0 {
			return i
		}
		return len(algs)
	}
	slices.SortStableFunc(s.Active, func(a, b Key) int { return rank(a) - rank(b) })
	n := len(s.Active)
	copy(s.Published, s.Active)
	slices.SortStableFunc(s.Published[n:], func(a, b Key) int { return rank(a) - rank(b) })
}

// Unpublished returns the pending keys that are not in the key set at now.
func (r Keyring) Unpublished(now time.Time) (all []Key) {
	now = later(now, r.SeenAt)
	for _, k := range r.Keys {
		if k.State(now) == Pending && !k.Published(now) {
			all = append(all, k)
		}
	}
	return all
}

// Clone returns a copy that can be changed.
func (r Keyring) Clone() Keyring {
	r.Keys, r.Tombstones, r.Leaving = slices.Clone(r.Keys), slices.Clone(r.Tombstones), slices.Clone(r.Leaving)
	return r
}

// Find returns the key of that kid.
func (r Keyring) Find(kid string) (k Key, ok bool) {
	i := slices.IndexFunc(r.Keys, func(k Key) bool { return k.KID == kid })
	if i < 0 {
		return Key{}, false
	}
	return r.Keys[i], true
}

// Tombstone returns what is remembered of a key that is gone.
func (r Keyring) Tombstone(kid string) (t Tombstone, ok bool) {
	i := slices.IndexFunc(r.Tombstones, func(t Tombstone) bool { return t.KID == kid })
	if i < 0 {
		return Tombstone{}, false
	}
	return r.Tombstones[i], true
}

// Has reports whether the kid is or was one of the keyring's.
func (r Keyring) Has(kid string) bool {
	_, here := r.Find(kid)
	_, gone := r.Tombstone(kid)
	return here || gone
}

// Unknown is the result of WhyUnpublished for a kid that was never in the keyring.
const Unknown State = "unknown"

// WhyUnpublished returns the state of the key if it is not in the key set at now, Unknown if the install never
// had it, and nothing if it is published.
func (r Keyring) WhyUnpublished(kid string, now time.Time) State {
	if k, here := r.Find(kid); here {
		if k.Published(now) {
			return ""
		}
		return k.State(now)
	}
	switch t, gone := r.Tombstone(kid); {
	case !gone:
		return Unknown
	case t.Revoked:
		return Revoked
	default:
		return Removed
	}
}

// LacksSigner reports whether a key that signs in the other keyring is unknown to this one.
func (r Keyring) LacksSigner(other Keyring, now time.Time) bool {
	return slices.ContainsFunc(other.At(now).Active, func(k Key) bool { return !r.Has(k.KID) })
}

// Revoked returns the kids that are recorded as revoked.
func (r Keyring) Revoked() (kids []string) {
	for _, t := range r.Tombstones {
		if t.Revoked {
			kids = append(kids, t.KID)
		}
	}
	for _, k := range r.Keys {
		if !k.RevokedAt.IsZero() {
			kids = append(kids, k.KID)
		}
	}
	return kids
}

// HasUnrevoked reports whether the keyring has the kid, and not as that of a revoked key.
func (r Keyring) HasUnrevoked(kid string) bool {
	k, here := r.Find(kid)
	t, gone := r.Tombstone(kid)
	return here && k.RevokedAt.IsZero() || gone && !t.Revoked
}

// RevokeAgain revokes the keys of these kids that are not revoked here, and reports whether there was any.
func (r *Keyring) RevokeAgain(kids []string, now time.Time) (changed bool) {
	for i, k := range r.Keys {
		if k.RevokedAt.IsZero() && slices.Contains(kids, k.KID) {
			r.Keys[i].RevokedAt, changed = now.Round(0).UTC().Truncate(time.Millisecond), true
		}
	}
	for i, t := range r.Tombstones {
		if !t.Revoked && slices.Contains(kids, t.KID) {
			r.Tombstones[i].Revoked, changed = true, true
		}
	}
	return changed
}

// MoveBack returns the keyring with all its times moved from a clock that showed high to one that shows
// now. Each key is in the same state at now as it was at high.
func (r Keyring) MoveBack(high, now time.Time) Keyring {
	r = r.Clone()
	ahead := high.Sub(now)
	move := func(t *time.Time) {
		switch {
		case t.IsZero() || !t.After(now): // before the clock was wrong
		case !t.After(high):
			*t = now
		default:
			*t = t.Add(-ahead)
		}
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		for _, t := range []*time.Time{&k.CreatedAt, &k.PublishAt, &k.ActivateAt, &k.RetireAt, &k.RemoveAt, &k.RevokedAt, &k.ChangedAt} {
			move(t)
		}
	}
	for i := range r.Tombstones {
		move(&r.Tombstones[i].RemovedAt)
	}
	for i := range r.Leaving {
		move(&r.Leaving[i].At)
		move(&r.Leaving[i].KeptUntil)
	}
	r.SeenAt = now
	return r
}
