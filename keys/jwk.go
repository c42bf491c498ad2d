package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// jwk is a public key as JSON (RFC 7517, RFC 7518 §6, RFC 8037). It has no field that could hold a
// private member.
type jwk struct {
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

// newJWK renders the members that make up the key itself.
func newJWK(public crypto.PublicKey) (jwk, error) {
	switch pub := public.(type) {
	case *ecdsa.PublicKey:
		point, err := pub.Bytes() // 4, X, Y
		if err != nil {
			return jwk{}, fmt.Errorf("encoding a public key: %w", err)
		}
		half := (len(point) - 1) / 2
		return jwk{Kty: "EC", Crv: pub.Params().Name, X: base64url(point[1 : 1+half]), Y: base64url(point[1+half:])}, nil
	case *rsa.PublicKey:
		return jwk{Kty: "RSA", N: base64url(pub.N.Bytes()), E: base64url(big.NewInt(int64(pub.E)).Bytes())}, nil
	case ed25519.PublicKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: base64url(pub)}, nil
	default:
		return jwk{}, fmt.Errorf("a public key of type %T has no JWK here", public)
	}
}

// thumbprint is the RFC 7638 thumbprint: SHA-256 over the required members in lexicographic order.
// Their values are base64url or fixed names, so nothing needs escaping.
func (k jwk) thumbprint() string {
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

// renderSet writes the keys as a JWK Set (RFC 7517 §5), in the order given, with a strong ETag.
func renderSet(published []Key) (body []byte, etag string, err error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{Keys: []jwk{}}
	for _, k := range published {
		member, err := newJWK(k.private.public)
		if err != nil {
			return nil, "", fmt.Errorf("rendering key %s: %w", k.KID, err)
		}
		member.Use, member.Alg, member.Kid = "sig", k.Alg, k.KID
		set.Keys = append(set.Keys, member)
	}
	body, err = json.Marshal(set)
	if err != nil {
		return nil, "", fmt.Errorf("rendering the key set: %w", err)
	}
	sum := sha256.Sum256(body)
	return body, `"` + base64url(sum[:16]) + `"`, nil
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
