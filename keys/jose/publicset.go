package jose

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Limits of a PublicSet: a client has the key in use and, while it changes over, the next one.
const (
	maxPublicSet  = 16 << 10 // bytes of its JSON
	maxPublicKeys = 10
	maxKID        = 200 // bytes of a kid
)

// ErrPrivateKey: a private key, or a shared secret, was given in place of public keys. If it was sent over
// a network, it must be considered leaked.
var ErrPrivateKey = errors.New("not a public key")

// PublicSet holds the public keys of another party, to verify their signatures. ParsePublicSet makes it
// from a JWK Set (RFC 7517 §5). It never changes and never fetches anything. A nil set has no keys.
type PublicSet struct {
	keys     []publicKey
	unusable []error
}

// publicKey is one key of a PublicSet. Every one has a kid.
type publicKey struct {
	jwk    JWK // as it is shown and stored
	public crypto.PublicKey
	algs   []string // that it may verify; never empty
}

// ParsePublicSet reads a JWK Set. Keys that cannot verify anything here are left out (RFC 7517 §5), and
// Unusable returns the reasons. A set without a usable key is an error that joins all of them. So is a set
// in which two keys have the same kid, and one with a key that is not public: ErrPrivateKey. Unknown
// members are dropped. A key without a kid gets its RFC 7638 thumbprint as kid.
func ParsePublicSet(data []byte) (*PublicSet, error) {
	if len(data) > maxPublicSet {
		return nil, fmt.Errorf("it is larger than %d KiB", maxPublicSet>>10)
	}
	members, err := object(data)
	if err != nil {
		return nil, err
	}
	var list []json.RawMessage
	switch {
	case members["keys"] == nil && members["kty"] != nil:
		return nil, errors.New(`it is a single key, not a JWK Set; write {"keys":[…]} around it`)
	case members["keys"] == nil || json.Unmarshal(members["keys"], &list) != nil:
		return nil, errors.New(`it is not a JWK Set, {"keys":[…]}`)
	}
	return newPublicSet(list)
}

func newPublicSet(list []json.RawMessage) (*PublicSet, error) {
	switch {
	case len(list) == 0:
		return nil, errors.New("it has no keys")
	case len(list) > maxPublicKeys:
		return nil, fmt.Errorf("it has %d keys; at most %d are possible", len(list), maxPublicKeys)
	}
	set := &PublicSet{}
	refused := false
	for i, data := range list {
		key, wrong := parsePublicJWK(data)
		if len(wrong) == 0 {
			wrong = set.clash(key)
		}
		if len(wrong) == 0 {
			set.keys = append(set.keys, key)
		}
		for _, problem := range wrong {
			refused = refused || errors.Is(problem, ErrPrivateKey) || isSameKID(problem)
			set.unusable = append(set.unusable, fmt.Errorf("key %d: %w", i+1, problem))
		}
	}
	if refused || len(set.keys) == 0 {
		return nil, errors.Join(set.unusable...)
	}
	return set, nil
}

// sameKID is the error for a kid that two keys have.
type sameKID string

func (kid sameKID) Error() string {
	return fmt.Sprintf("another key has the kid %s too", quote(string(kid)))
}

func isSameKID(err error) bool {
	var same sameKID
	return errors.As(err, &same)
}

// clash returns why the key cannot be beside those before it.
func (s *PublicSet) clash(key publicKey) []error {
	for _, other := range s.keys {
		switch {
		case other.jwk.Thumbprint() == key.jwk.Thumbprint():
			return []error{errors.New("the same key is there twice")}
		case other.jwk.Kid == key.jwk.Kid:
			return []error{sameKID(key.jwk.Kid)}
		}
	}
	return nil
}

// Unusable returns why keys of the JWK Set were left out, in their order.
func (s *PublicSet) Unusable() []error {
	if s == nil {
		return nil
	}
	return s.unusable
}

// MarshalJSON writes the set as a JWK Set that ParsePublicSet reads as the same.
func (s *PublicSet) MarshalJSON() ([]byte, error) {
	var list []JWK
	if s != nil {
		for _, key := range s.keys {
			list = append(list, key.jwk)
		}
	}
	return MarshalSet(list)
}

// KIDs returns the kids of the keys, in their order.
func (s *PublicSet) KIDs() []string {
	if s == nil {
		return nil
	}
	kids := make([]string, 0, len(s.keys))
	for _, key := range s.keys {
		kids = append(kids, key.jwk.Kid)
	}
	return kids
}

// find returns the key of that kid, or nil.
func (s *PublicSet) find(kid string) *publicKey {
	i := slices.IndexFunc(s.keys, func(k publicKey) bool { return k.jwk.Kid == kid })
	if i < 0 {
		return nil
	}
	return &s.keys[i]
}
