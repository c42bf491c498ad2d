package keys

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signet/keys/jose"
	"signet/keys/secret"
)

// privateKey signs with one algorithm.
type privateKey struct{ secret.Value[privateParts] }

type privateParts struct {
	alg    string
	signer crypto.Signer
	public crypto.PublicKey
	pkcs8  []byte // as it is sealed; nil for a remote key

	remote    *remoteKeys // nil: the signer is a key in memory
	reference string      // of a remote key
}

// newPrivateKey makes a key for the algorithm. Its kid does not begin with a dash, so that it can stand in a
// command line as it is.
func newPrivateKey(alg string) (kid string, k *privateKey, err error) {
	for {
		kid, k, err = anyPrivateKey(alg)
		if err != nil || !strings.HasPrefix(kid, "-") {
			return kid, k, err
		}
	}
}

func anyPrivateKey(alg string) (kid string, k *privateKey, err error) {
	signer, err := jose.Generate(alg)
	if err != nil {
		return "", nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return "", nil, fmt.Errorf("encoding a %s key: %w", alg, err)
	}
	return privateKeyOf(alg, privateParts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// parsePrivateKey reads a PKCS #8 key for the algorithm.
func parsePrivateKey(alg string, pkcs8 []byte) (kid string, k *privateKey, err error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return "", nil, errors.New("private key is not PKCS #8") // err could quote it
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return "", nil, fmt.Errorf("a private key of type %T does not sign", parsed)
	}
	return privateKeyOf(alg, privateParts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// privateKeyOf joins the parts and their algorithm. The kid is the thumbprint of the public key.
func privateKeyOf(alg string, parts privateParts) (kid string, k *privateKey, err error) {
	if err := jose.CheckKey(alg, parts.public); err != nil {
		return "", nil, err
	}
	jwk, err := jose.NewJWK(parts.public)
	if err != nil {
		return "", nil, err
	}
	parts.alg = alg
	return jwk.Thumbprint(), &privateKey{secret.Of(parts)}, nil
}

// sign returns the JWS signature of the input (RFC 7515 §5.1). Of a remote key it can be ErrSigner.
func (k *privateKey) sign(ctx context.Context, input string) ([]byte, error) {
	parts := k.Reveal()
	if parts.remote != nil {
		return parts.signRemote(ctx, input)
	}
	return jose.Sign(parts.alg, parts.signer, input)
}

// verify checks a signature by this key.
func (k *privateKey) verify(input string, signature []byte) error {
	parts := k.Reveal()
	return jose.Verify(parts.alg, parts.public, input, signature)
}

// privateBytes is a private key in the clear, as it goes into the sealed document and nowhere else.
// JSON shows it, because that is its purpose; nothing else does.
type privateBytes struct{ secret.Value[[]byte] }

// MarshalJSON implements json.Marshaler with the key.
func (b privateBytes) MarshalJSON() ([]byte, error) { return json.Marshal(b.Reveal()) }

// UnmarshalJSON implements json.Unmarshaler.
func (b *privateBytes) UnmarshalJSON(data []byte) error {
	var pkcs8 []byte
	if err := json.Unmarshal(data, &pkcs8); err != nil {
		return err
	}
	b.Value = secret.Of(pkcs8)
	return nil
}
