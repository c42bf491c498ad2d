package inspect

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"signet/keys/jose"

	"github.com/golang-jwt/jwt/v5"
)

// KeySet is a JWK Set (RFC 7517 §5) of public keys.
type KeySet struct {
	Keys []jose.JWK `json:"keys"`
}

// noKeyError means that the key set has no key for the token.
type noKeyError struct{ error }

// keyFor returns the key that the kid of the token names. The key determines the algorithm, not the token (RFC 8725 §3.1).
func (s KeySet) keyFor(t *jwt.Token) (any, error) {
	kid, _ := t.Header["kid"].(string)
	for _, k := range s.Keys {
		if k.Kid != kid || kid == "" {
			continue
		}
		if k.Alg != t.Method.Alg() {
			return nil, noKeyError{fmt.Errorf("the token has alg %s and its key has %s", t.Method.Alg(), k.Alg)}
		}
		key, err := publicKey(k)
		if err != nil {
			return nil, noKeyError{fmt.Errorf("reading key %q of the key set: %w", kid, err)}
		}
		return key, nil
	}
	return nil, noKeyError{fmt.Errorf("the key set has no key with the kid %q; was the key revoked, or is it another server's token?", kid)}
}

func publicKey(k jose.JWK) (crypto.PublicKey, error) {
	switch k.Kty {
	case "EC":
		return ecKey(k)
	case "RSA":
		return rsaKey(k)
	case "OKP":
		return ed25519Key(k)
	}
	return nil, fmt.Errorf("unknown kty %q", k.Kty)
}

func ecKey(k jose.JWK) (crypto.PublicKey, error) {
	x, errX := jose.DecodeSegment(k.X)
	y, errY := jose.DecodeSegment(k.Y)
	if errX != nil || errY != nil || k.Crv != "P-256" || len(x) != 32 || len(y) != 32 {
		return nil, errors.New("not a P-256 key")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
}

func rsaKey(k jose.JWK) (crypto.PublicKey, error) {
	n, errN := jose.DecodeSegment(k.N)
	e, errE := jose.DecodeSegment(k.E)
	if errN != nil || errE != nil || len(e) == 0 || len(e) > 4 || len(n) < 256 || len(n) > 2048 {
		return nil, errors.New("not an RSA key of 2048 bits or more")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

func ed25519Key(k jose.JWK) (crypto.PublicKey, error) {
	x, err := jose.DecodeSegment(k.X)
	if err != nil || k.Crv != "Ed25519" || len(x) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 key")
	}
	return ed25519.PublicKey(x), nil
}
