package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// The algorithms, by their RFC 7518 and RFC 8037 names. EdDSA is Ed25519 and never spelt so: most
// verifiers do not know the newer name.
const (
	ES256 = "ES256"
	RS256 = "RS256"
	PS256 = "PS256"
	EdDSA = "EdDSA"
)

var supported = []string{ES256, RS256, PS256, EdDSA}

// rsaBits is the size of the RSA keys made here, and the least that is accepted (RFC 7518 §3.3).
const rsaBits = 2048

// methodOf returns the signing method, or nil for an algorithm that is not supported.
func methodOf(alg string) jwt.SigningMethod {
	switch alg {
	case ES256:
		return jwt.SigningMethodES256
	case RS256:
		return jwt.SigningMethodRS256
	case PS256:
		return jwt.SigningMethodPS256
	case EdDSA:
		return jwt.SigningMethodEdDSA
	default:
		return nil
	}
}

// generate makes a private key for the algorithm.
func generate(alg string) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return nil, fmt.Errorf("algorithm %q is not one of %v", alg, supported)
	}
}

// suits reports why the public key cannot serve the algorithm, or nil.
func suits(alg string, public crypto.PublicKey) error {
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		if alg == ES256 && pub.Curve == elliptic.P256() {
			return nil
		}
	case *rsa.PublicKey:
		if (alg == RS256 || alg == PS256) && pub.N.BitLen() >= rsaBits && pub.E == 65537 {
			return nil
		}
	case ed25519.PublicKey:
		if alg == EdDSA && len(pub) == ed25519.PublicKeySize {
			return nil
		}
	}
	return fmt.Errorf("a key of type %T and its size do not suit %s", public, alg)
}
