package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"sync"
)

// fits reports whether the signature can be one by the key: RSA gives up at once where it is too long,
// too short or too large a number, which would tell one key from another.
func fits(public crypto.PublicKey, signature []byte) bool {
	key, ok := public.(*rsa.PublicKey)
	return !ok || len(signature) == key.Size() && bytes.Compare(signature, key.N.Bytes()) < 0
}

// decoy is a key that nobody signs with, for the work of a verification and not for its outcome.
func decoy(alg string, signatureLength int) crypto.PublicKey {
	switch alg {
	case RS256, PS256:
		return decoyRSA(min(max(signatureLength, rsaBits/8), maxRSABits/8))
	case ES256:
		return decoyES256()
	default:
		return decoyEdDSA()
	}
}

// decoyRSA is a number that looks like a modulus; a real one would take a while to find. It is larger
// than any signature that somebody made with a key of that size.
func decoyRSA(size int) *rsa.PublicKey {
	n := make([]byte, size)
	rand.Read(n)
	copy(n, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	n[size-1] |= 1
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: minExponent}
}

var (
	decoyES256 = sync.OnceValue(func() crypto.PublicKey { return mustGenerate(ES256) })
	decoyEdDSA = sync.OnceValue(func() crypto.PublicKey { return mustGenerate(EdDSA) })
)

func mustGenerate(alg string) crypto.PublicKey {
	signer, err := generate(alg)
	if err != nil {
		panic(err) // for these algorithms there is no way to fail
	}
	return signer.Public()
}
