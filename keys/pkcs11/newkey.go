//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	cryptoki "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// idSize is the length of a CKA_ID.
const idSize = 16

// NewKey implements privatekey.Provider.
func (t *token) NewKey(ctx context.Context, alg string) (reference string, public crypto.PublicKey, err error) {
	id := make([]byte, idSize)
	rand.Read(id)
	err = t.use(ctx, false, func(c *connection) error {
		a, err := c.can(alg)
		if err != nil {
			return err
		}
		return c.writing(func(s cryptoki.SessionHandle) error {
			public, err = c.generate(s, a, id, fmt.Sprintf("signet %s %s", alg, time.Now().UTC().Format(time.DateOnly)))
			return err
		})
	})
	if err != nil {
		return "", nil, err
	}
	return hex.EncodeToString(id), public, nil
}

// generate makes the pair and reads its public key. What is not as it should be is destroyed again.
func (c *connection) generate(s cryptoki.SessionHandle, a algorithm, id []byte, label string) (crypto.PublicKey, error) {
	common := []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_TOKEN, true),
		cryptoki.NewAttribute(cryptoki.CKA_ID, id),
		cryptoki.NewAttribute(cryptoki.CKA_LABEL, label),
	}
	public := slices.Concat(common, a.public, []*cryptoki.Attribute{cryptoki.NewAttribute(cryptoki.CKA_VERIFY, true)})
	private := slices.Concat(common, a.private, []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_PRIVATE, true),
		cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, true),
		cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, false),
		cryptoki.NewAttribute(cryptoki.CKA_SIGN, true),
	})
	pub, priv, err := c.lib.GenerateKeyPair(s, []*cryptoki.Mechanism{cryptoki.NewMechanism(a.generate, nil)}, public, private)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	err = c.mustStay(s, priv)
	var key crypto.PublicKey
	if err == nil {
		key, err = c.publicKey(s, pub, a)
	}
	if err != nil {
		return nil, errors.Join(err, c.lib.DestroyObject(s, priv), c.lib.DestroyObject(s, pub))
	}
	return key, nil
}

// mustStay checks that the private key cannot leave the token, whatever was asked of it.
func (c *connection) mustStay(s cryptoki.SessionHandle, private cryptoki.ObjectHandle) error {
	got, err := c.lib.GetAttributeValue(s, private, []*cryptoki.Attribute{
		cryptoki.NewAttribute(cryptoki.CKA_SENSITIVE, nil), cryptoki.NewAttribute(cryptoki.CKA_EXTRACTABLE, nil),
	})
	if err != nil {
		return fmt.Errorf("looking at the new key: %w", err)
	}
	if truth(got[0]) && !truth(got[1]) {
		return nil
	}
	return fmt.Errorf("%w: the token made a key that can be taken out of it", ErrSetup)
}

func truth(a *cryptoki.Attribute) bool { return len(a.Value) > 0 && a.Value[0] != 0 }

func (c *connection) publicKey(s cryptoki.SessionHandle, object cryptoki.ObjectHandle, a algorithm) (crypto.PublicKey, error) {
	names := []uint{cryptoki.CKA_EC_POINT}
	if a.generate == cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN {
		names = []uint{cryptoki.CKA_MODULUS, cryptoki.CKA_PUBLIC_EXPONENT}
	}
	var asked []*cryptoki.Attribute
	for _, name := range names {
		asked = append(asked, cryptoki.NewAttribute(name, nil))
	}
	got, err := c.lib.GetAttributeValue(s, object, asked)
	if err != nil {
		return nil, fmt.Errorf("reading the new public key: %w", err)
	}
	switch a.generate {
	case cryptoki.CKM_RSA_PKCS_KEY_PAIR_GEN:
		return &rsa.PublicKey{N: new(big.Int).SetBytes(got[0].Value), E: int(new(big.Int).SetBytes(got[1].Value).Int64())}, nil
	case cryptoki.CKM_EC_KEY_PAIR_GEN:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point(got[0].Value, 65))
	}
	key := point(got[0].Value, ed25519.PublicKeySize)
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("the new public key has %d bytes, want %d", len(key), ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(key), nil
}

// point unwraps a CKA_EC_POINT: an ASN.1 OCTET STRING, which some tokens leave out.
func point(value []byte, size int) []byte {
	in := cryptobyte.String(value)
	var inner cryptobyte.String
	if len(value) != size && in.ReadASN1(&inner, asn1.OCTET_STRING) && in.Empty() {
		return inner
	}
	return value
}

// Discard implements privatekey.Provider.
func (t *token) Discard(ctx context.Context, reference string) error {
	id, err := hex.DecodeString(reference)
	if err != nil || len(id) != idSize {
		return fmt.Errorf("%q is not a reference to a key in a token", reference)
	}
	return t.use(ctx, true, func(c *connection) error {
		return c.writing(func(s cryptoki.SessionHandle) error {
			objects, err := c.search(s, cryptoki.NewAttribute(cryptoki.CKA_ID, id))
			if err != nil {
				return err
			}
			var problems []error
			for _, object := range objects {
				problems = append(problems, c.lib.DestroyObject(s, object))
			}
			return errors.Join(problems...)
		})
	})
}

// search returns the objects of those attributes; there are at most two to any of ours.
func (c *connection) search(s cryptoki.SessionHandle, template ...*cryptoki.Attribute) ([]cryptoki.ObjectHandle, error) {
	if err := c.lib.FindObjectsInit(s, template); err != nil {
		return nil, fmt.Errorf("looking for a key: %w", err)
	}
	found, _, err := c.lib.FindObjects(s, 3)
	err = errors.Join(err, c.lib.FindObjectsFinal(s))
	if err != nil {
		return nil, fmt.Errorf("looking for a key: %w", err)
	}
	return found, nil
}
