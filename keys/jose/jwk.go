package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
)

// JWK is a public key as JSON (RFC 7517, RFC 7518 §6, RFC 8037). It has no field that could hold a
// private member.
type JWK struct {
	Kty string `json:"kty"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	Kid string `json:"kid,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
}

// NewJWK returns the members that make up the key itself: kty, crv, x, y, n and e.
func NewJWK(public crypto.PublicKey) (JWK, error) {
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 4, X, Y
		if err != nil {
			return JWK{}, fmt.Errorf("encoding a public key: %w", err)
		}
		half := (len(point) - 1) / 2
		return JWK{Kty: "EC", Crv: pub.Params().Name, X: base64url(point[1 : 1+half]), Y: base64url(point[1+half:])}, nil
	case *rsa.PublicKey:
		return JWK{Kty: "RSA", N: base64url(pub.N.Bytes()), E: base64url(big.NewInt(int64(pub.E)).Bytes())}, nil
	case ed25519.PublicKey:
		return JWK{Kty: "OKP", Crv: "Ed25519", X: base64url(pub)}, nil
	default:
		return JWK{}, fmt.Errorf("a public key of type %T has no JWK here", public)
	}
}

// Thumbprint returns the RFC 7638 thumbprint: SHA-256 over the required members in lexicographic order.
// Their values are base64url or fixed names, so nothing needs escaping.
func (k JWK) Thumbprint() string {
	var members string
	switch k.Kty {
	case "EC":
		members = `{"crv":"` + k.Crv + `","kty":"EC","x":"` + k.X + `","y":"` + k.Y + `"}`
	case "RSA":
		members = `{"e":"` + k.E + `","kty":"RSA","n":"` + k.N + `"}`
	case "OKP":
		members = `{"crv":"` + k.Crv + `","kty":"OKP","x":"` + k.X + `"}`
	}
	sum := sha256.Sum256([]byte(members))
	return base64url(sum[:])
}

// MarshalSet writes the keys as a JWK Set (RFC 7517 §5), in the order given.
func MarshalSet(keys []JWK) ([]byte, error) {
	if keys == nil {
		keys = []JWK{} // an empty list, not null
	}
	return json.Marshal(struct {
		Keys []JWK `json:"keys"`
	}{keys})
}
