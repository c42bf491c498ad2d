package keys

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// RevokeOptions says how far a revocation may go.
type RevokeOptions struct {
	// Emergency: the successor signs although it has not been published for P, or is made on the
	// spot. Verifiers that do not fetch again for an unknown kid then refuse new tokens for a while.
	Emergency bool
}

// Revocation says what a revocation did, and how long the key can still do harm.
type Revocation struct {
	KID     string    `json:"kid"`
	Alg     string    `json:"alg"`
	Was     State     `json:"was"` // what the key was until then
	At      time.Time `json:"at"`
	Version uint64    `json:"version"` // of the keyring from which it is gone

	// What signs for the algorithm now, and what will next; nil where there is no such key.
	Signer  *Successor `json:"signer,omitempty"`
	Standby *Successor `json:"standby,omitempty"`

	// With every replica at Version, and with one that has not read the keyring and goes by its own
	// for as long as it may (X and D).
	Exposure Exposure `json:"exposure"`
	Unread   Exposure `json:"unread"`
}

// Successor is a key that comes after another.
type Successor struct {
	KID         string    `json:"kid"`
	PublishedAt time.Time `json:"published_at"` // as it was planned before the revocation
	KnownAt     time.Time `json:"known_at"`     // P after that: every verifier that honours its cache time has it
	SignsFrom   time.Time `json:"signs_from"`
}

// Aged reports whether every verifier that honours its cache time has the key at now.
func (s Successor) Aged(now time.Time) bool { return !now.Before(s.KnownAt) }

// Revoke takes a key out of the keyring's service in one step: it signs no more, it is not in the
// key set, its tokens are invalid, and its kid never comes back. A signing key's successor signs at
// once, and a new successor is published. Everything is so at this replica when Revoke returns, and
// at the others when they have read the keyring.
//
// ErrUnknownKey, ErrRevoked or ErrGone for a kid that cannot be revoked, a NotAgedError where the
// successor is too young and o.Emergency is not set: then nothing was changed. On another error
// nothing is known; asked again, ErrRevoked says that it was done.
func (m *Manager) Revoke(ctx context.Context, kid string, o RevokeOptions) (r Revocation, err error) {
	err = m.settle(ctx, func(p *planner) (err error) {
		r, err = p.revoke(kid, o)
		return err
	})
	if err != nil {
		return Revocation{}, fmt.Errorf("revoking key %q: %w", kid, err)
	}
	r.Version = m.Version()
	return r, nil
}

func (p *planner) revoke(kid string, o RevokeOptions) (Revocation, error) {
	i := slices.IndexFunc(p.ring.Keys, func(k Key) bool { return k.KID == kid })
	if i < 0 {
		return Revocation{}, p.missing(kid)
	}
	k := p.ring.Keys[i]
	r := Revocation{KID: kid, Alg: k.Alg, Was: k.State(p.now), At: p.now}
	r.Exposure, r.Unread = p.exposures(k)
	if r.Was == Revoked {
		return Revocation{}, ErrRevoked
	}
	ends := p.ends(k)
	if r.Was == Active && !ends {
		if err := p.prepare(k.Alg, o); err != nil {
			return Revocation{}, err
		}
	}
	at := p.since(k)
	p.ring.Keys[i].RevokedAt = at
	p.tell(StepRevoked, k, p.now)
	if ends {
		return r, nil
	}
	if r.Was == Active {
		successor := p.find(k.Alg, Pending)
		r.Signer = p.successor(successor)
		p.takeOver(successor, at)
		r.Signer.SignsFrom = p.now
	} else if active := p.find(k.Alg, Active); active != nil {
		r.Signer = p.successor(active)
	}
	if r.Was != Retired {
		if err := p.keepUp(k.Alg); err != nil {
			return Revocation{}, err
		}
	}
	if pending := p.find(k.Alg, Pending); pending != nil {
		r.Standby = p.successor(pending)
	}
	return r, nil
}

// missing says why there is no such key.
func (p *planner) missing(kid string) error {
	i := slices.IndexFunc(p.ring.Tombstones, func(t Tombstone) bool { return t.KID == kid })
	switch {
	case i < 0:
		return ErrUnknownKey
	case p.ring.Tombstones[i].Revoked:
		return ErrRevoked
	}
	return ErrGone
}

// ends reports whether the key signs for an algorithm that has been wound down: it has no successor
// and needs none, because others sign.
func (p *planner) ends(k Key) bool {
	return k.State(p.now) == Active && !k.RetireAt.IsZero() && p.find(k.Alg, Pending) == nil &&
		slices.ContainsFunc(p.ring.Keys, func(other Key) bool { return other.KID != k.KID && other.State(p.now) == Active })
}

// prepare sees to it that the algorithm has a successor which may sign at once.
func (p *planner) prepare(alg string, o RevokeOptions) error {
	pending := p.find(alg, Pending)
	if pending != nil && p.successor(pending).Aged(p.now) {
		return nil
	}
	if !o.Emergency {
		e := &NotAgedError{Alg: alg}
		if pending != nil {
			e.KID, e.PublishedAt, e.KnownAt = pending.KID, pending.PublishAt, pending.PublishAt.Add(p.tt.Publish)
		}
		return e
	}
	if pending == nil {
		return p.create(alg)
	}
	return nil
}

func (p *planner) successor(k *Key) *Successor {
	return &Successor{KID: k.KID, PublishedAt: k.PublishAt, KnownAt: k.PublishAt.Add(p.tt.Publish), SignsFrom: k.ActivateAt}
}

// since is the time from which an unplanned change of the key counts: S ago, so that replicas whose
// clocks are behind make it as soon as they read of it, but not before anything it has gone through.
func (p *planner) since(k Key) time.Time {
	at := p.now.Add(-p.tt.ClockSkew)
	for _, change := range k.changes() {
		if reached(change, p.now) {
			at = later(at, change)
		}
	}
	return at
}

// takeOver has a pending key sign since at, published or not.
func (p *planner) takeOver(k *Key, at time.Time) {
	if k.PublishAt.After(at) {
		k.PublishAt = at
	}
	k.ActivateAt = at
	p.tell(StepScheduled, *k, p.now)
}
