package keys

import (
	"slices"

	"signet/keys/jose"
)

// Unknown is what Unpublished says of a kid that was never in this keyring.
const Unknown State = "unknown"

// maxForeignHeader bounds the headers that are looked at; those of others can have certificates in them.
const maxForeignHeader = 4 << 10

// Unpublished explains a token that Verify has refused: the state of the key that its header names,
// where that is not in the key set. It is Unknown for a kid that was never ours, and empty where
// the key is published or the token is no JWS with a kid. Nothing in the token is to be believed.
func (m *Manager) Unpublished(token string) State {
	header, _, _, ok := jose.Split(token)
	if !ok || len(header) > maxForeignHeader {
		return ""
	}
	plain, err := jose.DecodeSegment(header)
	if err != nil {
		return ""
	}
	var named struct {
		KID string `json:"kid"`
	}
	if jose.Unmarshal(plain, &named) != nil || named.KID == "" {
		return ""
	}
	return m.unpublished(named.KID)
}

func (m *Manager) unpublished(kid string) State {
	now, ring := m.clock.Correct(m.cfg.Now()), m.state.Load().ring
	if i := slices.IndexFunc(ring.Keys, func(k Key) bool { return k.KID == kid }); i >= 0 {
		if ring.Keys[i].Published(now) {
			return ""
		}
		return ring.Keys[i].State(now)
	}
	i := slices.IndexFunc(ring.Tombstones, func(t Tombstone) bool { return t.KID == kid })
	switch {
	case i < 0:
		return Unknown
	case ring.Tombstones[i].Revoked:
		return Revoked
	default:
		return Removed
	}
}
