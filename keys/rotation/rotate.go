package rotation

import (
	"fmt"
	"time"
)

// Rotation is the result of a rotation at once.
type Rotation struct {
	Alg     string     `json:"alg"`
	At      time.Time  `json:"at"`
	Version uint64     `json:"version"` // of the keyring that has it; set when it is written
	Retired string     `json:"retired"` // the kid that signed until then; it verifies for Retain more
	Signer  *Successor `json:"signer"`
	Standby *Successor `json:"standby"` // nil: no key could be made
}

// CrowdedError: the key set has as many keys of the algorithm as verifiers are known to keed.
type CrowdedError struct {
	Alg   string
	Until time.Time // when one of them is removed
}

// Error implements error.
func (e *CrowdedError) Error() string {
	return fmt.Sprintf("%d %s keys are published, and none leaves before %s", maxPublished, e.Alg, e.Until.Format(time.RFC3339))
}

// RotateNow has the algorithm's successor sign at once, published for Publish or not, and retires the key
// that signed; tokens of that key stay valid. Verifiers that honour their cache times may lack the new
// key until Signer.KnownAt; those that fetch again for an unknown kid miss nothing. Done again it rotates
// again. ErrAlgorithm if the algorithm is not live, a CrowdedError if the key set is full.
func (d *Draft) RotateNow(alg string) (Rotation, error) {
	active, pending := d.find(alg, Active), d.find(alg, Pending)
	if active == nil || pending == nil {
		return Rotation{}, fmt.Errorf("%w %s", ErrAlgorithm, alg)
	}
	if until := d.Keyring.crowdedUntil(pending, d.Now); !until.IsZero() {
		return Rotation{}, &CrowdedError{Alg: alg, Until: until}
	}
	r := Rotation{Alg: alg, At: d.Now, Retired: active.KID, Signer: pending.successor(d.tt)}
	at := active.effectiveFrom(d.tt, d.Now)
	active.ChangedAt = d.Now
	active.RetireAt, active.RemoveAt = at, d.Now.Add(active.retention(d.tt))
	d.activateNow(pending, at)
	r.Signer.SignsFrom = d.Now
	if err := d.ensureSuccessor(alg); err != nil {
		return Rotation{}, err
	}
	if standby := d.find(alg, Pending); standby != nil {
		r.Standby = standby.successor(d.tt)
	}
	return r, nil
}

// crowdedUntil returns until when a successor that is not yet published would be one key too many; zero if it is
// not.
func (r Keyring) crowdedUntil(pending *Key, now time.Time) (until time.Time) {
	if pending.Published(now) {
		return time.Time{}
	}
	published := 0
	for _, k := range r.Keys {
		if k.Alg != pending.Alg || !k.Published(now) {
			continue
		}
		published++
		if !k.RemoveAt.IsZero() && k.State(now) == Retired && (until.IsZero() || k.RemoveAt.Before(until)) {
			until = k.RemoveAt
		}
	}
	if published < maxPublished {
		return time.Time{}
	}
	return until
}
