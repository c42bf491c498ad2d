package keys

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Verify checks that a key of the set has signed the token: the one its kid names, or, where it names
// none, the only one there is. The key says which algorithms it may be used with. The error says for a
// log why not. Whatever the reason, and also for a set without keys, one signature of that algorithm
// is verified, so that the time it takes does not tell who has keys.
func (s *PublicSet) Verify(j *JWS) error {
	key, why := s.keyFor(j)
	if key == nil || !fits(key.public, j.signature) {
		if key != nil {
			why = fmt.Errorf("its signature cannot be by the key %s: it is too long, too short or too large a number", quote(key.jwk.Kid))
		}
		_ = j.verifiedBy(decoy(j.Alg, len(j.signature)))
		return why
	}
	if j.verifiedBy(key.public) != nil {
		return fmt.Errorf("its signature is not by the key %s", quote(key.jwk.Kid))
	}
	return nil
}

func (s *PublicSet) keyFor(j *JWS) (*publicKey, error) {
	kid := j.KID
	switch {
	case s == nil || len(s.keys) == 0:
		return nil, errors.New("there are no keys to verify it by")
	case kid == "" && len(s.keys) > 1:
		return nil, fmt.Errorf("its header has no kid, and there are %d keys; the kid must be one of %s", len(s.keys), quoteAll(s.KIDs()))
	case kid == "":
		kid = s.keys[0].jwk.Kid
	}
	key := s.find(kid)
	switch {
	case key == nil:
		return nil, fmt.Errorf("there is no key of its kid %s; the kid must be one of %s", quote(kid), quoteAll(s.KIDs()))
	case !slices.Contains(key.algs, j.Alg):
		return nil, fmt.Errorf("its alg is %s; the key %s is for %s", j.Alg, quote(kid), strings.Join(key.algs, " or "))
	}
	return key, nil
}

func (j *JWS) verifiedBy(public crypto.PublicKey) error {
	alg := j.Alg
	if alg == Ed25519 {
		alg = EdDSA // the same signature under its newer name
	}
	return methodOf(alg).Verify(j.input, j.signature, public)
}
