package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Recovery says what Recover did.
type Recovery struct {
	Version   uint64     `json:"version"`   // of the keyring that has it
	Revoked   []string   `json:"revoked"`   // the kids that the backup did not know to be revoked
	Rotations []Rotation `json:"rotations"` // of every algorithm that signs
}

// Recover makes a keyring that comes out of a backup fit for use. Of the kids that are known to have
// been revoked since, those in the keyring are revoked, and the others never come in. Then every
// algorithm's successor signs at once, as by RotateNow, because nobody knows what has happened to the
// key that signed: it may have leaked, and its revocation be forgotten. What that key has signed
// stays valid.
//
// A replica that is running and whose signing key this keyring lacks writes its own back, whatever the
// version. Config.AtLeast is for the replicas that have stopped: their marks refuse a version below the
// one that they have held.
func (m *Manager) Recover(ctx context.Context, revoked []string) (r Recovery, err error) {
	err = m.settle(ctx, func(p *planner) (err error) {
		r, err = p.recover(revoked)
		return err
	})
	if err != nil {
		return Recovery{}, fmt.Errorf("recovering the keyring: %w", err)
	}
	r.Version = m.Version()
	return r, nil
}

// RevokedKeys are the kids of all keys that this keyring knows to have been revoked.
func (m *Manager) RevokedKeys() []string {
	return m.state.Load().ring.revoked()
}

func (p *planner) recover(revoked []string) (r Recovery, err error) {
	var replaced []string // algorithms whose signing key is another one already
	for _, kid := range revoked {
		alg, known, err := p.recall(kid)
		if err != nil {
			return Recovery{}, err
		}
		if !known {
			r.Revoked = append(r.Revoked, kid)
		}
		if alg != "" {
			replaced = append(replaced, alg)
		}
	}
	for _, active := range p.ring.At(p.now).Active {
		if slices.Contains(replaced, active.Alg) || p.find(active.Alg, Pending) == nil {
			continue // an algorithm without a successor is on its way out
		}
		rotation, err := p.rotateNow(active.Alg)
		if err != nil && !errors.As(err, new(*CrowdedError)) {
			return Recovery{}, err
		}
		if err == nil {
			r.Rotations = append(r.Rotations, rotation)
		}
	}
	return r, nil
}

// recall revokes a key that was revoked before, and reports whether the ring knew of it, and the
// algorithm whose signing key it was.
func (p *planner) recall(kid string) (alg string, known bool, err error) {
	done, err := p.revoke(kid, RevokeOptions{Emergency: true})
	switch {
	case errors.Is(err, ErrRevoked):
		return "", true, nil
	case errors.Is(err, ErrUnknownKey):
		p.ring.Tombstones = append(p.ring.Tombstones, Tombstone{kid, p.now, true})
		p.tell(StepRevoked, Key{KID: kid}, p.now)
	case errors.Is(err, ErrGone):
		i := slices.IndexFunc(p.ring.Tombstones, func(t Tombstone) bool { return t.KID == kid })
		p.ring.Tombstones[i].Revoked = true
		p.tell(StepRevoked, Key{KID: kid}, p.now)
	case err != nil:
		return "", false, err
	case done.Was == Active:
		alg = done.Alg
	}
	return alg, false, nil
}
