package keys

import (
	"context"
	"fmt"
	"time"
)

// Rewrapping says what Rewrap found.
type Rewrapping struct {
	At      time.Time `json:"at"`
	Version uint64    `json:"version"` // of the keyring that is sealed under the first master key
	Changed bool      `json:"changed"` // false: it was before
}

// Rewrap seals the keyring under the first master key. It is one compare-and-set, so an interruption
// leaves the keyring under one key or the other; asked again it finishes, or finds nothing to do.
// Before it every replica must have both keys: one that lacks the first cannot read the keyring any
// more. After it the second key opens only what else was sealed with it.
func (m *Manager) Rewrap(ctx context.Context) (r Rewrapping, err error) {
	err = m.settle(ctx, func(p *planner) error {
		r = Rewrapping{At: p.now, Changed: m.MasterKeyInUse() != 0}
		if r.Changed {
			p.rewrap = true
			p.tell(StepRewrapped, Key{}, p.now)
		}
		return nil
	})
	if err != nil {
		return Rewrapping{}, fmt.Errorf("sealing the keyring under another master key: %w", err)
	}
	r.Version = m.Version()
	return r, nil
}

// MasterKeyInUse is the index in Config.Master of the key that the keyring is sealed with. What else
// derives from the master key should go by it: so replicas change over together, at Rewrap, and not
// as each of them is given the new key.
func (m *Manager) MasterKeyInUse() int {
	s := m.state.Load()
	if s == nil {
		return 0
	}
	return m.sealer.KeyOf(s.document)
}

// MasterKeyHints names the master keys that this replica has, without saying anything about them.
func (m *Manager) MasterKeyHints() []string {
	return m.sealer.Hints()
}
