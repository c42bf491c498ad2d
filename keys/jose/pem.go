package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ReadPublicSet reads public keys in any common form: a JWK Set, a single JWK, or public keys and
// certificates in PEM. Of a certificate only the key counts, not its issuer and dates. Its errors are
// those of ParsePublicSet.
func ReadPublicSet(data []byte) (*PublicSet, error) {
	data = bytes.TrimSpace(data)
	switch {
	case len(data) > maxPublicSet:
		return nil, fmt.Errorf("it is larger than %d KiB", maxPublicSet>>10)
	case bytes.HasPrefix(data, []byte("{")):
		if members, err := object(data); err == nil && members["keys"] == nil && members["kty"] != nil {
			return newPublicSet([]json.RawMessage{data})
		}
		return ParsePublicSet(data)
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return readPEM(data)
	}
	return nil, errors.New("it is neither JSON (a JWK or a JWK Set) nor PEM")
}

func readPEM(data []byte) (*PublicSet, error) {
	var list []json.RawMessage
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		data = rest
		key, err := readBlock(block)
		if err != nil {
			return nil, fmt.Errorf("its PEM block %s: %w", quote(block.Type), err)
		}
		list = append(list, key)
	}
	if bytes.Contains(data, []byte("-----BEGIN ")) {
		return nil, errors.New("one of its PEM blocks is damaged or cut short")
	}
	return newPublicSet(list)
}

func readBlock(block *pem.Block) (json.RawMessage, error) {
	if strings.HasSuffix(block.Type, "PRIVATE KEY") {
		return nil, ErrPrivateKey
	}
	public, err := publicOf(block)
	if err != nil {
		return nil, err
	}
	switch public.(type) {
	case *rsa.PublicKey, ed25519.PublicKey, *ecdsa.PublicKey: // the bounds of each are those of a JWK
	default:
		return nil, errors.New("a P-256 (ES256), an Ed25519 (EdDSA) or an RSA key is wanted")
	}
	key, err := NewJWK(public)
	if err != nil {
		return nil, err
	}
	return json.Marshal(key)
}

func publicOf(block *pem.Block) (crypto.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		return certificate.PublicKey, nil
	}
	return nil, errors.New("neither a public key nor a certificate")
}
