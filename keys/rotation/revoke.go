package rotation

import (
	"fmt"
	"slices"
	"time"

	"signet/keys/timetable"
)

// RevokeOptions is how far a revocation may go.
type RevokeOptions struct {
	// Emergency: the successor signs although it has not been published for Publish, or is made on the
	// spot. Verifiers that do not fetch again for an unknown kid then refuse new tokens for a while.
	Emergency bool
}

// Revocation is the result of a revocation, with how long the key can still do harm.
type Revocation struct {
	KID     string
	Alg     string
	Was     State // the state of the key until then
	At      time.Time
	Version uint64 // of the keyring from which it is gone; set when it is written

	// The key that signs for the algorithm now, and the next one; nil where there is none.
	Signer  *Successor
	Standby *Successor

	// Exposure holds when every replica is at Version, Unread when one cannot read the keyring and uses its
	// own for as long as it may (SignStale and ServeStale).
	Exposure timetable.Exposure
	Unread   timetable.Exposure
}

// Successor is a key that comes after another.
type Successor struct {
	KID         string    `json:"kid"`
	PublishedAt time.Time `json:"published_at"` // as it was planned before the revocation
	KnownAt     time.Time `json:"known_at"`     // Publish after that: every verifier that honours its cache time has it
	SignsFrom   time.Time `json:"signs_from"`
}

// Aged reports whether every verifier that honours its cache time has the key at now.
func (s Successor) Aged(now time.Time) bool { return !now.Before(s.KnownAt) }

// NotAgedError: the successor of a signing key that was to be revoked may be missing at some verifiers.
type NotAgedError struct {
	Alg         string
	KID         string // the successor; empty: there is none
	PublishedAt time.Time
	KnownAt     time.Time // when every verifier that honours its cache time has it
}

// Error implements error.
func (e *NotAgedError) Error() string {
	if e.KID == "" {
		return fmt.Sprintf("the %s key has no successor", e.Alg)
	}
	return fmt.Sprintf("the successor %s is published since %s and known to every verifier from %s",
		e.KID, e.PublishedAt.Format(time.RFC3339), e.KnownAt.Format(time.RFC3339))
}

// Revoke takes a key out of service in one step: it no longer signs, it is not in the key set, its tokens are
// invalid, and its kid never comes back. A signing key's successor signs at once, and a new successor is
// published.
//
// ErrUnknownKey, ErrRevoked or ErrGone for a kid that cannot be revoked, a NotAgedError where the successor
// is too young and o.Emergency is not set.
func (d *Draft) Revoke(kid string, o RevokeOptions) (Revocation, error) {
	i := slices.IndexFunc(d.Keyring.Keys, func(k Key) bool { return k.KID == kid })
	if i < 0 {
		return Revocation{}, d.Keyring.whyMissing(kid)
	}
	k := d.Keyring.Keys[i]
	r := Revocation{KID: kid, Alg: k.Alg, Was: k.State(d.Now), At: d.Now}
	r.Exposure, r.Unread = k.exposures(d.tt, d.Now)
	if r.Was == Revoked {
		return Revocation{}, ErrRevoked
	}
	last := d.Keyring.isLast(k, d.Now)
	if r.Was == Active && !last {
		if err := d.requireSuccessor(k.Alg, o); err != nil {
			return Revocation{}, err
		}
	}
	at := k.effectiveFrom(d.tt, d.Now)
	d.Keyring.Keys[i].RevokedAt, d.Keyring.Keys[i].ChangedAt = at, d.Now
	d.record(StepRevoked, k, d.Now)
	if last {
		return r, nil
	}
	if r.Was == Active {
		successor := d.find(k.Alg, Pending)
		r.Signer = successor.successor(d.tt)
		d.activateNow(successor, at)
		r.Signer.SignsFrom = d.Now
	} else if active := d.find(k.Alg, Active); active != nil {
		r.Signer = active.successor(d.tt)
	}
	if r.Was != Retired {
		if err := d.ensureSuccessor(k.Alg); err != nil {
			return Revocation{}, err
		}
	}
	if pending := d.find(k.Alg, Pending); pending != nil {
		r.Standby = pending.successor(d.tt)
	}
	return r, nil
}

// whyMissing returns the error for a kid that no key has.
func (r Keyring) whyMissing(kid string) error {
	t, gone := r.Tombstone(kid)
	switch {
	case !gone:
		return ErrUnknownKey
	case t.Revoked:
		return ErrRevoked
	}
	return ErrGone
}

// isLast reports whether the key signs for an algorithm that is ending: it has no successor and needs none,
// because other algorithms sign.
func (r Keyring) isLast(k Key, now time.Time) bool {
	pending := slices.ContainsFunc(r.Keys, func(other Key) bool { return other.Alg == k.Alg && other.State(now) == Pending })
	return k.State(now) == Active && !k.RetireAt.IsZero() && !pending &&
		slices.ContainsFunc(r.Keys, func(other Key) bool { return other.KID != k.KID && other.State(now) == Active })
}

// requireSuccessor makes sure that the algorithm has a successor which may sign at once.
func (d *Draft) requireSuccessor(alg string, o RevokeOptions) error {
	pending := d.find(alg, Pending)
	if pending != nil && pending.successor(d.tt).Aged(d.Now) {
		return nil
	}
	if !o.Emergency {
		e := &NotAgedError{Alg: alg}
		if pending != nil {
			e.KID, e.PublishedAt, e.KnownAt = pending.KID, pending.PublishAt, pending.PublishAt.Add(d.tt.Publish)
		}
		return e
	}
	if pending == nil {
		return d.create(alg)
	}
	return nil
}

func (k Key) successor(t timetable.Timetable) *Successor {
	return &Successor{KID: k.KID, PublishedAt: k.PublishAt, KnownAt: k.PublishAt.Add(t.Publish), SignsFrom: k.ActivateAt}
}

// effectiveFrom returns the time from which an unplanned change of the key counts: Skew ago, so that replicas
// whose clocks are behind make it as soon as they have read it, but not before any step the key has taken.
func (k Key) effectiveFrom(t timetable.Timetable, now time.Time) time.Time {
	at := now.Add(-t.Skew)
	for _, change := range k.changes() {
		if reached(change, now) {
			at = later(at, change)
		}
	}
	return at
}

// exposures returns those of a key that is revoked at now: with every replica up to date, and with one that has
// read the keyring just before and cannot read it any more.
func (k Key) exposures(t timetable.Timetable, now time.Time) (all, unread timetable.Exposure) {
	lastSigned := now.Add(t.SignStale) // by a replica that cannot read
	switch k.State(now) {
	case Active:
		all, unread = t.Exposure(now, now), t.Exposure(lastSigned, now.Add(t.ServeStale))
	case Retired:
		all = t.Exposure(k.RetireAt, now)
		unread = t.Exposure(k.RetireAt.Add(t.SignStale), now.Add(t.ServeStale))
	default:
		if !k.ActivateAt.Before(lastSigned) {
			lastSigned = time.Time{}
		}
		all, unread = t.Exposure(time.Time{}, now), t.Exposure(lastSigned, now.Add(t.ServeStale))
	}
	return all, unread
}
