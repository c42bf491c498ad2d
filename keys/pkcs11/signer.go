//go:build pkcs11 && cgo

package pkcs11

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/hex"
	"fmt"
	"io"
	"math/big"
	"slices"

	cryptoki "github.com/miekg/pkcs11"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// signer implements privatekey.ContextSigner with a private key in the token.
type signer struct {
	token     *token
	reference string
	public    crypto.PublicKey
}

// Signer implements privatekey.Provider.
func (t *token) Signer(reference string, public crypto.PublicKey) crypto.Signer {
	return &signer{t, reference, public}
}

func (s *signer) Public() crypto.PublicKey { return s.public }

// Sign implements crypto.Signer. The randomness is the token's.
func (s *signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.SignContext(context.Background(), digest, opts)
}

// SignContext implements privatekey.ContextSigner.
func (s *signer) SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) (signature []byte, err error) {
	mechanism, input, err := prepare(s.public, digest, opts)
	if err != nil {
		return nil, err
	}
	err = s.token.use(ctx, true, func(c *connection) error {
		return c.session(func(session cryptoki.SessionHandle) error {
			signature, err = c.sign(session, s.reference, mechanism, input)
			return err
		})
	})
	if _, ec := s.public.(*ecdsa.PublicKey); err == nil && ec {
		return encodeECDSA(signature)
	}
	return signature, err
}

func (c *connection) sign(s cryptoki.SessionHandle, reference string, m *cryptoki.Mechanism, input []byte) ([]byte, error) {
	key, err := c.privateKey(s, reference)
	if err != nil {
		return nil, err
	}
	if err := c.lib.SignInit(s, []*cryptoki.Mechanism{m}, key); err != nil {
		return nil, fmt.Errorf("beginning a signature: %w", err)
	}
	signature, err := c.lib.Sign(s, input)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return signature, nil
}

// privateKey finds the key, once in each connection.
func (c *connection) privateKey(s cryptoki.SessionHandle, reference string) (cryptoki.ObjectHandle, error) {
	c.mu.Lock()
	key, known := c.objects[reference]
	c.mu.Unlock()
	if known {
		return key, nil
	}
	id, err := hex.DecodeString(reference)
	if err != nil || len(id) != idSize {
		return 0, fmt.Errorf("%q is not a reference to a key in a token", reference)
	}
	found, err := c.search(s, cryptoki.NewAttribute(cryptoki.CKA_CLASS, cryptoki.CKO_PRIVATE_KEY), cryptoki.NewAttribute(cryptoki.CKA_ID, id))
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		if err := c.loggedIn(s); err != nil {
			return 0, err
		}
		return 0, fmt.Errorf("the token has %d private keys of CKA_ID %s, want one", len(found), reference)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.objects[reference] = found[0]
	return found[0], nil
}

// sha256Info is the DER of a DigestInfo for SHA-256 up to the digest (RFC 8017 §9.2).
var sha256Info = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

// prepare turns what crypto.Signer is given into what C_Sign takes.
func prepare(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (*cryptoki.Mechanism, []byte, error) {
	_, edwards := public.(ed25519.PublicKey)
	if hash := opts.HashFunc(); edwards != (hash == 0) || !edwards && (hash != crypto.SHA256 || len(digest) != hash.Size()) {
		return nil, nil, fmt.Errorf("a %T does not sign %d bytes of hash %v here", public, len(digest), hash)
	}
	switch public.(type) {
	case ed25519.PublicKey:
		return cryptoki.NewMechanism(ckmEdDSA, nil), digest, nil
	case *ecdsa.PublicKey:
		return cryptoki.NewMechanism(cryptoki.CKM_ECDSA, nil), digest, nil
	case *rsa.PublicKey:
		if _, pss := opts.(*rsa.PSSOptions); pss {
			params := cryptoki.NewPSSParams(cryptoki.CKM_SHA256, cryptoki.CKG_MGF1_SHA256, uint(len(digest)))
			return cryptoki.NewMechanism(cryptoki.CKM_RSA_PKCS_PSS, params), digest, nil
		}
		return cryptoki.NewMechanism(cryptoki.CKM_RSA_PKCS, nil), append(slices.Clip(sha256Info), digest...), nil
	}
	return nil, nil, fmt.Errorf("a %T does not sign here", public)
}

// encodeECDSA turns R and S, as PKCS #11 has them, into the ASN.1 that a crypto.Signer answers.
func encodeECDSA(raw []byte) ([]byte, error) {
	if len(raw) == 0 || len(raw)%2 != 0 {
		return nil, fmt.Errorf("the token's ECDSA signature has %d bytes", len(raw))
	}
	half := len(raw) / 2
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[:half]))
		b.AddASN1BigInt(new(big.Int).SetBytes(raw[half:]))
	})
	return b.Bytes()
}
