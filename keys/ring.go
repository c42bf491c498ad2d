package keys

import (
	"slices"
	"time"
)

// Ring is the keyring: every signing key with its timetable, and what must be remembered of those
// that are gone. It is a value; whoever changes one works on a copy.
type Ring struct {
	Keys       []Key       `json:"keys"`
	Tombstones []Tombstone `json:"tombstones,omitempty"`
	Leaving    []Leaving   `json:"leaving,omitempty"`

	// SeenAt is the highest time that was known when the ring was last changed. The ring is never
	// looked at as of an earlier moment, so that no key moves backwards with a clock.
	SeenAt time.Time `json:"seen_at,omitzero"`
	// ClockResets counts how often an operator declared SeenAt and all marks of replicas wrong. Of two
	// times that were seen the one after more resets counts.
	ClockResets uint32 `json:"clock_resets,omitempty"`

	Records Records `json:"records,omitzero"`
}

// Tombstone remembers the kid of a key that is gone, so that it never comes back.
type Tombstone struct {
	KID       string    `json:"kid"`
	RemovedAt time.Time `json:"removed_at"`
	Revoked   bool      `json:"revoked,omitempty"`
}

// Leaving is an algorithm that some replica is no longer configured for. While a new configuration
// rolls out replicas disagree; so the algorithm ends only when nobody has objected until At.
type Leaving struct {
	Alg       string    `json:"alg"`
	At        time.Time `json:"at,omitzero"`         // zero: somebody objected
	KeptUntil time.Time `json:"kept_until,omitzero"` // after an objection: it is not raised again before this
}

// Lineup is what the keys of a ring do at one moment, and for how long that holds.
type Lineup struct {
	Active    []Key     // exactly one for each live algorithm
	Published []Key     // the key set: the active keys, then the others
	From      time.Time // the lineup holds from here; zero: since ever
	Until     time.Time // and changes here; zero: never
}

// At answers which keys sign and which are published at now. Every replica that holds this ring
// gives the same answer without being told that a time has come.
func (r Ring) At(now time.Time) Lineup {
	now = later(now, r.SeenAt)
	var l Lineup
	var others []Key
	for _, k := range r.Keys {
		if k.RevokedAt.IsZero() { // after it nothing changes any more
			for _, t := range k.changes() {
				l.bound(t, now)
			}
		}
		switch {
		case k.State(now) == Active:
			l.Active = append(l.Active, k)
		case k.Published(now):
			others = append(others, k)
		}
	}
	l.Published = slices.Concat(l.Active, others)
	return l
}

// bound narrows From and Until by one time of change.
func (l *Lineup) bound(t, now time.Time) {
	switch {
	case t.IsZero():
	case !now.Before(t):
		if l.From.Before(t) {
			l.From = t
		}
	case l.Until.IsZero(), t.Before(l.Until):
		l.Until = t
	}
}

// holds reports whether the lineup is still right at now.
func (l Lineup) holds(now time.Time) bool {
	return !now.Before(l.From) && (l.Until.IsZero() || now.Before(l.Until))
}

// sortBy puts the keys of algs first and in that order; what is equal keeps its place.
func (l *Lineup) sortBy(algs []string) {
	rank := func(k Key) int {
		if i := slices.Index(algs, k.Alg); i >= 0 {
			return i
		}
		return len(algs)
	}
	slices.SortStableFunc(l.Active, func(a, b Key) int { return rank(a) - rank(b) })
	n := len(l.Active)
	copy(l.Published, l.Active)
	slices.SortStableFunc(l.Published[n:], func(a, b Key) int { return rank(a) - rank(b) })
}

// clone copies what a planner changes.
func (r Ring) clone() Ring {
	r.Keys, r.Tombstones, r.Leaving = slices.Clone(r.Keys), slices.Clone(r.Tombstones), slices.Clone(r.Leaving)
	r.Records = r.Records.clone()
	return r
}

// lacksSigner reports whether the ring does not know a key that signs in another one.
func (r Ring) lacksSigner(other Ring, now time.Time) bool {
	return slices.ContainsFunc(other.At(now).Active, func(k Key) bool { return !r.has(k.KID) })
}

// revokeAgain revokes what the ring has of these kids and has not revoked, and reports whether there was any.
func (r *Ring) revokeAgain(kids []string, now time.Time) (changed bool) {
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

// unrevoked reports whether the ring has the kid, and not as that of a revoked key.
func (r Ring) unrevoked(kid string) bool {
	return slices.ContainsFunc(r.Keys, func(k Key) bool { return k.KID == kid && k.RevokedAt.IsZero() }) ||
		slices.ContainsFunc(r.Tombstones, func(t Tombstone) bool { return t.KID == kid && !t.Revoked })
}

// revoked lists the kids that the ring knows to have been revoked.
func (r Ring) revoked() (kids []string) {
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

// has reports whether the kid is or was one of the ring's.
func (r Ring) has(kid string) bool {
	return slices.ContainsFunc(r.Keys, func(k Key) bool { return k.KID == kid }) ||
		slices.ContainsFunc(r.Tombstones, func(t Tombstone) bool { return t.KID == kid })
}
