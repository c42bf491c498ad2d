package keys

import (
	"context"
	"fmt"
	"time"
)

// Rotation says what an emergency rotation did.
type Rotation struct {
	Alg     string     `json:"alg"`
	At      time.Time  `json:"at"`
	Version uint64     `json:"version"` // of the keyring that has it
	Retired string     `json:"retired"` // the kid that signed until then; it goes on verifying for V
	Signer  *Successor `json:"signer"`
	Standby *Successor `json:"standby"`
}

// RotateNow has the algorithm's successor sign at once, published for P or not, and retires the key
// that signed: what that signed stays valid. Verifiers that honour their cache times may lack the new
// key until Signer.KnownAt; those that fetch again for an unknown kid miss nothing. Asked again it
// rotates again. ErrAlgorithm if the algorithm is not live, a CrowdedError if the key set is full.
func (m *Manager) RotateNow(ctx context.Context, alg string) (r Rotation, err error) {
	if alg == "" {
		alg = m.cfg.Algorithms[0]
	}
	err = m.settle(ctx, func(p *planner) (err error) {
		r, err = p.rotateNow(alg)
		return err
	})
	if err != nil {
		return Rotation{}, fmt.Errorf("rotating at once: %w", err)
	}
	r.Version = m.Version()
	return r, nil
}

func (p *planner) rotateNow(alg string) (Rotation, error) {
	active, pending := p.find(alg, Active), p.find(alg, Pending)
	if active == nil || pending == nil {
		return Rotation{}, fmt.Errorf("%w %s", ErrAlgorithm, alg)
	}
	if until := p.crowded(pending); !until.IsZero() {
		return Rotation{}, &CrowdedError{Alg: alg, Until: until}
	}
	r := Rotation{Alg: alg, At: p.now, Retired: active.KID, Signer: p.successor(pending)}
	at := p.since(*active)
	active.RetireAt, active.RemoveAt = at, p.now.Add(p.stay(*active))
	p.takeOver(pending, at)
	r.Signer.SignsFrom = p.now
	if err := p.keepUp(alg); err != nil {
		return Rotation{}, err
	}
	r.Standby = p.successor(p.find(alg, Pending))
	return r, nil
}

// crowded says until when a successor that is not yet published would be one key too many; zero: it
// is not.
func (p *planner) crowded(pending *Key) (until time.Time) {
	if pending.Published(p.now) {
		return time.Time{}
	}
	published := 0
	for _, k := range p.ring.Keys {
		if k.Alg != pending.Alg || !k.Published(p.now) {
			continue
		}
		published++
		if !k.RemoveAt.IsZero() && k.State(p.now) == Retired && (until.IsZero() || k.RemoveAt.Before(until)) {
			until = k.RemoveAt
		}
	}
	if published < maxPublished {
		return time.Time{}
	}
	return until
}
