package keys

import (
	"encoding/json"
	"fmt"
)

// sealedRing is a Ring as it is sealed: the only form that holds private keys in the clear.
type sealedRing struct {
	Ring
	Keys []sealedKey `json:"keys"` // hides Ring.Keys
}

type sealedKey struct {
	Key
	PKCS8 privateBytes `json:"pkcs8"`
}

// encodeRing writes the ring with its private keys, for sealing.
func encodeRing(r Ring) ([]byte, error) {
	sealed := sealedRing{Ring: r}
	for _, k := range r.Keys {
		sealed.Keys = append(sealed.Keys, sealedKey{k, k.private.pkcs8})
	}
	plain, err := json.Marshal(sealed)
	if err != nil {
		return nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	return plain, nil
}

// decodeRing reads what encodeRing wrote. Members it does not know are let be: a newer Signet that
// adds one which must be understood also raises sealFormat.
func decodeRing(plain []byte) (Ring, error) {
	var sealed sealedRing
	if err := json.Unmarshal(plain, &sealed); err != nil {
		return Ring{}, fmt.Errorf("%w: %T", ErrFormat, err) // its text could quote a piece of a key
	}
	r := sealed.Ring
	r.Keys = make([]Key, 0, len(sealed.Keys))
	for _, s := range sealed.Keys {
		parsed, err := parsePrivateKey(s.Alg, s.PKCS8)
		if err != nil {
			return Ring{}, fmt.Errorf("%w: key %q: %w", ErrFormat, s.KID, err)
		}
		if parsed.KID != s.KID || r.has(s.KID) {
			return Ring{}, fmt.Errorf("%w: kid %q is not the key's thumbprint, or not the only one", ErrFormat, s.KID)
		}
		k := s.Key
		k.private = parsed.private
		r.Keys = append(r.Keys, k)
	}
	return r, nil
}
