package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"signet/keys/masterkey"
	"signet/keys/secret"
)

// sealedRing is a Ring as it is sealed: the only form that holds private keys in the clear.
type sealedRing struct {
	Ring
	Keys []sealedKey `json:"keys"` // hides Ring.Keys
}

// sealedKey holds a private key, or says where it is.
type sealedKey struct {
	Key
	PKCS8  privateBytes  `json:"pkcs8,omitzero"`
	Remote *sealedRemote `json:"remote,omitempty"`
}

// format is the format that the sealed ring needs: one that readers without remote keys refuse, if and
// only if it has some.
func (r Ring) format() byte {
	if slices.ContainsFunc(r.Keys, func(k Key) bool { return k.private.Reveal().remote != nil }) {
		return masterkey.FormatRemote
	}
	return masterkey.FormatLocal
}

// encodeRing writes the ring with its private keys, for sealing.
func encodeRing(r Ring) ([]byte, error) {
	sealed := sealedRing{Ring: r}
	for _, k := range r.Keys {
		s, private := sealedKey{Key: k}, k.private.Reveal()
		if private.remote == nil {
			s.PKCS8 = privateBytes{secret.Of(private.pkcs8)}
		} else {
			var err error
			if s.Remote, err = private.remote.sealed(private); err != nil {
				return nil, err
			}
		}
		sealed.Keys = append(sealed.Keys, s)
	}
	plain, err := json.Marshal(sealed)
	if err != nil {
		return nil, fmt.Errorf("encoding the keyring: %w", err)
	}
	return plain, nil
}

// decodeRing reads what encodeRing wrote. Members it does not know are let be: a newer Signet that
// adds one which must be understood also raises the seal's format.
func decodeRing(plain []byte, remote *remoteKeys) (Ring, error) {
	var sealed sealedRing
	if err := json.Unmarshal(plain, &sealed); err != nil {
		return Ring{}, fmt.Errorf("%w: %T", masterkey.ErrFormat, err) // its text could quote a piece of a key
	}
	r := sealed.Ring
	r.Keys = make([]Key, 0, len(sealed.Keys))
	for _, s := range sealed.Keys {
		parsed, err := s.open(remote)
		if errors.Is(err, ErrProvider) {
			return Ring{}, fmt.Errorf("key %s: %w", s.KID, err)
		}
		if err != nil {
			return Ring{}, fmt.Errorf("%w: key %q: %w", masterkey.ErrFormat, s.KID, err)
		}
		if parsed.KID != s.KID || r.has(s.KID) {
			return Ring{}, fmt.Errorf("%w: kid %q is not the key's thumbprint, or not the only one", masterkey.ErrFormat, s.KID)
		}
		k := s.Key
		k.private = parsed.private
		r.Keys = append(r.Keys, k)
	}
	return r, nil
}

func (s sealedKey) open(remote *remoteKeys) (Key, error) {
	if s.Remote != nil {
		return remote.open(s.Alg, s.Remote)
	}
	if s.PKCS8.IsZero() {
		return Key{}, errors.New("there is no private key")
	}
	return parsePrivateKey(s.Alg, s.PKCS8.Reveal())
}
