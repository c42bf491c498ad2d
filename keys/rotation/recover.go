package rotation

import (
	"errors"
	"slices"
)

// Recovery is the result of Recover.
type Recovery struct {
	Version   uint64     `json:"version"`   // of the keyring that has it; set when it is written
	Revoked   []string   `json:"revoked"`   // the kids whose revocation the backup lacked
	Rotations []Rotation `json:"rotations"` // of every algorithm that signs
}

// Recover makes a keyring that comes out of a backup fit for use. Of the kids that are known to have been
// revoked since, those in the keyring are revoked, and the others never come in. Then every algorithm's
// successor signs at once, as by RotateNow, because it is not known whether the key that signed has leaked
// since. Tokens of that key stay valid.
func (d *Draft) Recover(revoked []string) (r Recovery, err error) {
	var replaced []string // algorithms whose signing key is another one already
	for _, kid := range revoked {
		alg, known, err := d.revokeKnown(kid)
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
	for _, active := range d.Keyring.At(d.Now).Active {
		if slices.Contains(replaced, active.Alg) || d.find(active.Alg, Pending) == nil {
			continue // an algorithm without a successor is ending
		}
		rotation, err := d.RotateNow(active.Alg)
		if err != nil && !errors.As(err, new(*CrowdedError)) {
			return Recovery{}, err
		}
		if err == nil {
			r.Rotations = append(r.Rotations, rotation)
		}
	}
	return r, nil
}

// revokeKnown revokes a key that is known to have been revoked. It returns the algorithm that the key signed
// for, and whether its revocation was recorded already.
func (d *Draft) revokeKnown(kid string) (alg string, known bool, err error) {
	done, err := d.Revoke(kid, RevokeOptions{Emergency: true})
	switch {
	case errors.Is(err, ErrRevoked):
		return "", true, nil
	case errors.Is(err, ErrUnknownKey):
		d.Keyring.Tombstones = append(d.Keyring.Tombstones, Tombstone{kid, d.Now, true})
		d.record(StepRevoked, Key{KID: kid}, d.Now)
	case errors.Is(err, ErrGone):
		i := slices.IndexFunc(d.Keyring.Tombstones, func(t Tombstone) bool { return t.KID == kid })
		d.Keyring.Tombstones[i].Revoked = true
		d.record(StepRevoked, Key{KID: kid}, d.Now)
	case err != nil:
		return "", false, err
	case done.Was == Active:
		alg = done.Alg
	}
	return alg, false, nil
}
