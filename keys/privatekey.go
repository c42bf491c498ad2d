package keys

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// privateKey signs with one algorithm. Whether the key is here or in a KMS only its crypto.Signer knows.
// Package fmt looks behind one pointer in some cases, but never behind two; hence the two types.
type privateKey struct{ *privateParts }

type privateParts struct {
	alg    string
	method jwt.SigningMethod
	signer crypto.Signer
	public crypto.PublicKey
	pkcs8  []byte // as it is sealed; nil for a remote key

	remote    *remoteKeys // nil: the signer is a key in memory, which method.Sign takes as it is
	reference string      // of a remote key
}

// newKey makes a key for the algorithm, ready for a ring. Its kid does not begin with a dash, so that
// it can stand in a command line as it is.
func newKey(alg string) (Key, error) {
	for {
		k, err := anyKey(alg)
		if err != nil || !strings.HasPrefix(k.KID, "-") {
			return k, err
		}
	}
}

func anyKey(alg string) (Key, error) {
	signer, err := generate(alg)
	if err != nil {
		return Key{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return Key{}, fmt.Errorf("encoding a %s key: %w", alg, err)
	}
	return keyOf(alg, privateParts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// parsePrivateKey reads a PKCS #8 key for the algorithm.
func parsePrivateKey(alg string, pkcs8 []byte) (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return Key{}, errors.New("private key is not PKCS #8") // err could quote it
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("a private key of type %T does not sign", parsed)
	}
	return keyOf(alg, privateParts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// keyOf joins the parts and their algorithm to a Key without a timetable.
func keyOf(alg string, parts privateParts) (Key, error) {
	if err := suits(alg, parts.public); err != nil {
		return Key{}, err
	}
	jwk, err := newJWK(parts.public)
	if err != nil {
		return Key{}, err
	}
	parts.alg, parts.method = alg, methodOf(alg)
	return Key{KID: jwk.thumbprint(), Alg: alg, private: &privateKey{&parts}}, nil
}

// sign returns the JWS signature of the input (RFC 7515 §5.1). Of a remote key it can be ErrSigner.
func (k *privateKey) sign(ctx context.Context, input string) ([]byte, error) {
	if k.remote != nil {
		return k.signRemote(ctx, input)
	}
	return k.method.Sign(input, k.signer)
}

// signWith has the input signed by a crypto.Signer, as every KMS and HSM can be one.
func (k *privateKey) signWith(signer contextual, input string) ([]byte, error) {
	if k.alg == EdDSA {
		return signer.sign([]byte(input), crypto.Hash(0))
	}
	digest := sha256.Sum256([]byte(input))
	var opts crypto.SignerOpts = crypto.SHA256
	if k.alg == PS256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	signature, err := signer.sign(digest[:], opts)
	if err != nil || k.alg != ES256 {
		return signature, err
	}
	return rawECDSA(signature)
}

// verify checks a signature by this key.
func (k *privateKey) verify(input string, signature []byte) error {
	return k.method.Verify(input, signature, k.public)
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

// String implements fmt.Stringer without the key.
func (*privateKey) String() string { return redacted }

// Format implements fmt.Formatter, for every verb without the key.
func (*privateKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the key.
func (*privateKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler without the key.
func (*privateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
