package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Bounds of RSA keys of others. The upper one keeps a verification cheap.
const (
	maxRSABits  = 4096
	minExponent = 65537
)

// privateMembers are what only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

// parsePublicJWK reads one key and returns everything that is wrong with it. Its errors quote names and
// no values: the input may be a private key.
func parsePublicJWK(data []byte) (publicKey, []error) {
	members, err := object(data)
	if err != nil {
		return publicKey{}, []error{err}
	}
	if kty, _ := text(members["kty"]); kty == "oct" {
		return publicKey{}, []error{fmt.Errorf("%w: kty oct is a secret that both sides know", ErrPrivateKey)}
	}
	for _, name := range privateMembers {
		if _, there := members[name]; there {
			return publicKey{}, []error{fmt.Errorf("%w: it has the private member %q", ErrPrivateKey, name)}
		}
	}
	r := &jwkReader{members: members}
	key := r.key()
	return key, r.problems
}

// jwkReader reads the members of a JWK one by one and collects problems.
type jwkReader struct {
	members  map[string]json.RawMessage
	problems []error
}

func (r *jwkReader) add(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, args...))
}

func (r *jwkReader) key() publicKey {
	key := publicKey{public: r.public()}
	r.purpose()
	kid := r.kid()
	if key.public == nil {
		return publicKey{}
	}
	key.algs = r.algs(algorithmsOf(key.public))
	var err error
	if key.jwk, err = NewJWK(key.public); err != nil {
		r.add("%w", err)
		return publicKey{}
	}
	if kid == "" {
		kid = key.jwk.Thumbprint()
	}
	key.jwk.Kid, key.jwk.Use = kid, "sig"
	if len(key.algs) == 1 {
		key.jwk.Alg = key.algs[0]
	}
	return key
}

func (r *jwkReader) public() crypto.PublicKey {
	kty, _ := text(r.members["kty"])
	switch kty {
	case "EC":
		return r.ec()
	case "RSA":
		return r.rsa()
	case "OKP":
		return r.ed25519()
	case "":
		r.add("kty is missing; it must be EC, RSA or OKP")
	default:
		r.add("kty %s is not EC, RSA or OKP", quote(kty))
	}
	return nil
}

func (r *jwkReader) ec() crypto.PublicKey {
	if !r.curve("P-256") {
		return nil
	}
	x, y := r.bytes("x"), r.bytes("y")
	if len(x) != 32 || len(y) != 32 {
		r.add("x and y of a P-256 key must have 32 bytes each, in base64url")
		return nil
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
	if err != nil {
		r.add("x and y are no point of P-256")
		return nil
	}
	return key
}

func (r *jwkReader) ed25519() crypto.PublicKey {
	if !r.curve("Ed25519") {
		return nil
	}
	x := r.bytes("x")
	if len(x) != ed25519.PublicKeySize {
		r.add("x of an Ed25519 key must have 32 bytes, in base64url")
		return nil
	}
	return ed25519.PublicKey(x)
}

func (r *jwkReader) curve(want string) bool {
	crv, _ := text(r.members["crv"])
	if crv != want {
		r.add("crv must be %s, not %s; a P-256 (ES256), an Ed25519 (EdDSA) or an RSA key will do", want, quote(crv))
	}
	return crv == want
}

func (r *jwkReader) rsa() crypto.PublicKey {
	n, e := new(big.Int).SetBytes(r.bytes("n")), new(big.Int).SetBytes(r.bytes("e"))
	if !e.IsInt64() || e.Int64() >= 1<<31 {
		r.add("e, the exponent, is too large; 65537 is usual")
		return nil
	}
	key := &rsa.PublicKey{N: n, E: int(e.Int64())}
	if err := checkRSA(key); err != nil {
		r.add("%w", err)
		return nil
	}
	return key
}

func checkRSA(key *rsa.PublicKey) error {
	switch bits := key.N.BitLen(); {
	case bits < rsaBits || bits > maxRSABits:
		return fmt.Errorf("n, the modulus, has %d bits; an RSA key must have %d to %d", bits, rsaBits, maxRSABits)
	case key.N.Bit(0) == 0:
		return errors.New("n, the modulus, is even; that is no RSA key")
	case key.E < minExponent || key.E%2 == 0:
		return errors.New("e, the exponent, must be odd and 65537 or more")
	}
	return nil
}

// bytes decodes a base64url member; nil where there is none.
func (r *jwkReader) bytes(name string) []byte {
	s, _ := text(r.members[name])
	raw, err := DecodeSegment(s)
	if err != nil {
		return nil
	}
	return raw
}

// purpose checks the use and key_ops of the key (RFC 7517 §4.2, §4.3).
func (r *jwkReader) purpose() {
	if raw, there := r.members["use"]; there {
		if use, _ := text(raw); use != "sig" {
			r.add(`use must be "sig", or left out: the key is to verify signatures`)
		}
	}
	if raw, there := r.members["key_ops"]; there {
		var ops []string
		if json.Unmarshal(raw, &ops) != nil || !slices.Contains(ops, "verify") {
			r.add(`key_ops must name "verify", or be left out: the key is to verify signatures`)
		}
	}
}

func (r *jwkReader) kid() string {
	raw, there := r.members["kid"]
	if !there {
		return ""
	}
	kid, _ := text(raw)
	if !plainKID(kid) {
		r.add("kid must be 1 to %d visible ASCII characters, or left out", maxKID)
	}
	return kid
}

func plainKID(kid string) bool {
	return kid != "" && len(kid) <= maxKID && !strings.ContainsFunc(kid, func(c rune) bool { return c <= ' ' || c > '~' })
}

// algs narrows the possible algorithms to the alg of the key, if it has one (RFC 7517 §4.4).
func (r *jwkReader) algs(possible []string) []string {
	raw, there := r.members["alg"]
	if !there {
		return possible
	}
	alg, _ := text(raw)
	switch {
	case !slices.Contains(possible, alg):
		r.add("alg must be %s for this key, or left out", strings.Join(possible, " or "))
	case alg == EdDSA || alg == Ed25519: // two names of one thing
		return possible
	}
	return []string{alg}
}

// algorithmsOf returns the algorithms that a key of that type can verify.
func algorithmsOf(public crypto.PublicKey) []string {
	switch public.(type) {
	case *ecdsa.PublicKey:
		return []string{ES256}
	case *rsa.PublicKey:
		return []string{RS256, PS256}
	case ed25519.PublicKey:
		return []string{EdDSA, Ed25519}
	}
	return nil
}
