// Package privatekey makes, opens and uses the private half of signing keys, in memory or at a Provider: an HSM or
// a KMS, which signs and never shows it.
//
// A Provider can be slow or away. A signature passes a limiter (so many at once, so many waiting, one timeout)
// and is verified before it is used; a failure is ErrSigner, which decides nothing. A Prober has remote keys make
// signatures ahead of their turn, so that one which is missing is noticed.
//
// A Key prints as [redacted]. A Stored has a local key in the clear, for the document that is then sealed, and for
// nothing else.
package privatekey

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

var (
	// ErrProvider: the private half of a key is elsewhere, and this replica has no Provider for it.
	ErrProvider = errors.New("the keyring has a key that this replica has no access to")

	// ErrSigner: a remote key did not sign, or was not made: too many wait, no answer in time, or a
	// refusal. Nothing was decided; the request may be repeated.
	ErrSigner = errors.New("the signing key cannot be reached")
)

// Local is where a key is that is in memory, and sealed in the keyring itself.
const Local = "local"

// Key signs with one algorithm.
type Key struct{ secret.Value[parts] }

type parts struct {
	alg    string
	signer crypto.Signer
	public crypto.PublicKey
	pkcs8  []byte // as it is stored; nil for a remote key

	remote    *Source // nil: the signer is a key in memory
	reference string  // of a remote key
}

// newLocal makes a key for the algorithm. Its kid does not begin with a dash, so that it can stand in a
// command line as it is.
func newLocal(alg string) (kid string, k *Key, err error) {
	for {
		kid, k, err = anyLocal(alg)
		if err != nil || !strings.HasPrefix(kid, "-") {
			return kid, k, err
		}
	}
}

func anyLocal(alg string) (kid string, k *Key, err error) {
	signer, err := jose.Generate(alg)
	if err != nil {
		return "", nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return "", nil, fmt.Errorf("encoding a %s key: %w", alg, err)
	}
	return newKey(alg, parts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// openLocal reads a PKCS #8 key for the algorithm.
func openLocal(alg string, pkcs8 []byte) (kid string, k *Key, err error) {
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return "", nil, errors.New("private key is not PKCS #8") // err could quote it
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return "", nil, fmt.Errorf("a private key of type %T does not sign", parsed)
	}
	return newKey(alg, parts{signer: signer, public: signer.Public(), pkcs8: pkcs8})
}

// newKey joins the parts and their algorithm. The kid is the thumbprint of the public key.
func newKey(alg string, p parts) (kid string, k *Key, err error) {
	if err := jose.CheckKey(alg, p.public); err != nil {
		return "", nil, err
	}
	jwk, err := jose.NewJWK(p.public)
	if err != nil {
		return "", nil, err
	}
	p.alg = alg
	return jwk.Thumbprint(), &Key{secret.Of(p)}, nil
}

// Public returns the public half.
func (k *Key) Public() crypto.PublicKey { return k.Reveal().public }

// Remote reports whether the private half is at a Provider.
func (k *Key) Remote() bool { return k.Reveal().remote != nil }

// Held returns where the private half is: Local, or the name of a Provider.
func (k *Key) Held() string {
	if p := k.Reveal(); p.remote != nil {
		return p.remote.provider.Name()
	}
	return Local
}

// Sign returns the JWS signature of the input (RFC 7515 §5.1). Of a remote key it can be ErrSigner.
func (k *Key) Sign(ctx context.Context, input string) ([]byte, error) {
	p := k.Reveal()
	if p.remote != nil {
		return p.signRemote(ctx, input)
	}
	return jose.Sign(p.alg, p.signer, input)
}

// Verify checks a signature by this key.
func (k *Key) Verify(input string, signature []byte) error {
	p := k.Reveal()
	return jose.Verify(p.alg, p.public, input, signature)
}

// Stored is a key as a keyring stores it: a private key in the clear, or where it is.
type Stored struct {
	PKCS8  Clear      `json:"pkcs8,omitzero"`
	Remote *Reference `json:"remote,omitempty"`
}

// Reference is where a remote key is.
type Reference struct {
	Provider  string `json:"provider"`
	Reference string `json:"reference"`
	Public    []byte `json:"public"` // PKIX
}

// Clear is a private key in the clear, as it goes into the sealed document and nowhere else.
// JSON shows it, because that is its purpose; nothing else does.
type Clear struct{ secret.Value[[]byte] }

// MarshalJSON implements json.Marshaler with the key.
func (b Clear) MarshalJSON() ([]byte, error) { return json.Marshal(b.Reveal()) }

// UnmarshalJSON implements json.Unmarshaler.
func (b *Clear) UnmarshalJSON(data []byte) error {
	var pkcs8 []byte
	if err := json.Unmarshal(data, &pkcs8); err != nil {
		return err
	}
	b.Value = secret.Of(pkcs8)
	return nil
}

// Stored returns what a keyring stores of the key; Source.Open reads it.
func (k *Key) Stored() (Stored, error) {
	p := k.Reveal()
	if p.remote == nil {
		return Stored{PKCS8: Clear{secret.Of(p.pkcs8)}}, nil
	}
	public, err := x509.MarshalPKIXPublicKey(p.public)
	if err != nil {
		return Stored{}, fmt.Errorf("encoding a public key: %w", err)
	}
	return Stored{Remote: &Reference{p.remote.provider.Name(), p.reference, public}}, nil
}
