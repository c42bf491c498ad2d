package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// The signature algorithms, by their RFC 7518 and RFC 8037 names.
const (
	ES256 = "ES256"
	RS256 = "RS256"
	PS256 = "PS256"
	EdDSA = "EdDSA" // with Ed25519
)

// Ed25519 is RFC 9864's name for what EdDSA means here. Newer libraries write it, so it is accepted in
// what others sign. Signet writes EdDSA, because most verifiers do not support the newer name.
const Ed25519 = "Ed25519"

// Algorithms are those that Signet signs with.
var Algorithms = []string{ES256, RS256, PS256, EdDSA}

// VerifiedAlgorithms are those that a PublicSet can verify.
var VerifiedAlgorithms = []string{ES256, RS256, PS256, EdDSA, Ed25519}

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
	case EdDSA, Ed25519:
		return jwt.SigningMethodEdDSA
	default:
		return nil
	}
}

// Generate makes a private key for one of Algorithms.
func Generate(alg string) (crypto.Signer, error) {
	switch alg {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return nil, fmt.Errorf("algorithm %q is not one of %v", alg, Algorithms)
	}
}

// CheckKey returns why the public key cannot serve one of Algorithms, or nil.
func CheckKey(alg string, public crypto.PublicKey) error {
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

// Sign returns the JWS signature of the input (RFC 7515 §5.1) by a key that Generate made.
func Sign(alg string, key crypto.Signer, input string) ([]byte, error) {
	return SignWith(alg, func(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return key.Sign(rand.Reader, digest, opts)
	}, input)
}

// SignWith is Sign by a key that is elsewhere: sign is the Sign method of a crypto.Signer.
func SignWith(alg string, sign func(digest []byte, opts crypto.SignerOpts) ([]byte, error), input string) ([]byte, error) {
	if alg == EdDSA {
		return sign([]byte(input), crypto.Hash(0))
	}
	digest := sha256.Sum256([]byte(input))
	var opts crypto.SignerOpts = crypto.SHA256
	if alg == PS256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := sign(digest[:], opts)
	if err != nil || alg != ES256 {
		return signature, err
	}
	return rawECDSA(signature)
}

// Verify checks a JWS signature of the input with the public key.
func Verify(alg string, public crypto.PublicKey, input string, signature []byte) error {
	return methodOf(alg).Verify(input, signature, public)
}

// rawECDSA turns the ASN.1 signature of a crypto.Signer into R and S of 32 bytes each (RFC 7518 §3.4).
func rawECDSA(der []byte) ([]byte, error) {
	var sequence cryptobyte.String
	var r, s []byte
	in := cryptobyte.String(der)
	if !in.ReadASN1(&sequence, asn1.SEQUENCE) || !in.Empty() ||
		!sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || !sequence.Empty() ||
		len(r) > 32 || len(s) > 32 {
		return nil, errors.New("the signer's ECDSA signature is not one for P-256")
	}
	raw := make([]byte, 64)
	copy(raw[32-len(r):], r)
	copy(raw[64-len(s):], s)
	return raw, nil
}
