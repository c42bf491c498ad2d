package jose

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
)

// Verify checks that a key of the set has signed the token: the key of its kid, or the only key of the set
// if the token has no kid. The key determines the possible algorithms. The error gives the reason for a
// log. In every case, also for a set without keys, one signature of that algorithm is verified, so the
// duration does not show who has keys.
func (s *PublicSet) Verify(j *JWS) error {
	key, why := s.keyFor(j)
	if key == nil || !fits(key.public, j.signature) {
		if key != nil {
			why = fmt.Errorf("its signature cannot be by the key %s: it is too long, too short or too large a number", quote(key.jwk.Kid))
		}
		_ = j.verifiedBy(dummyKey(j.Alg, len(j.signature)))
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
	return Verify(j.Alg, public, j.input, j.signature)
}

// fits reports whether the signature can be one by the key. RSA verification returns early when it is too
// long, too short or too large a number, and that would show which key it was compared with.
func fits(public crypto.PublicKey, signature []byte) bool {
	key, ok := public.(*rsa.PublicKey)
	return !ok || len(signature) == key.Size() && bytes.Compare(signature, key.N.Bytes()) < 0
}

// dummyKey returns a key that signs nothing. Verifying with it takes the time of a verification and fails.
func dummyKey(alg string, signatureLength int) crypto.PublicKey {
	switch alg {
	case RS256, PS256:
		return dummyRSA(min(max(signatureLength, rsaBits/8), maxRSABits/8))
	case ES256:
		return dummyES256()
	default:
		return dummyEdDSA()
	}
}

// dummyRSA returns a random odd number as modulus, because generating a real one is slow. It is larger than
// any signature by a real key of that size.
func dummyRSA(size int) *rsa.PublicKey {
	n := make([]byte, size)
	rand.Read(n)
	copy(n, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	n[size-1] |= 1
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: minExponent}
}

var (
	dummyES256 = sync.OnceValue(func() crypto.PublicKey { return mustGenerate(ES256) })
	dummyEdDSA = sync.OnceValue(func() crypto.PublicKey { return mustGenerate(EdDSA) })
)

func mustGenerate(alg string) crypto.PublicKey {
	signer, err := Generate(alg)
	if err != nil {
		panic(err) // for these algorithms there is no way to fail
	}
	return signer.Public()
}
