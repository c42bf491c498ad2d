package servertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"sync"
)

// KeyPairs returns key pairs of apps by name: ec, next, ed, rsa and p384. They are made once: RSA takes a while.
var KeyPairs = sync.OnceValues(func() (map[string]crypto.Signer, error) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	next, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, err
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	return map[string]crypto.Signer{"ec": ec, "next": next, "ed": ed, "rsa": rsa2048, "p384": p384}, err
})

// WriteKeyPairs writes each key pair as openssl does, to NAME.key and NAME.pub.
func WriteKeyPairs(dir string) error {
	all, err := KeyPairs()
	if err != nil {
		return err
	}
	for name, key := range all {
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		public, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, name+".key"), "PRIVATE KEY", private); err != nil {
			return err
		}
		if err := writePEM(filepath.Join(dir, name+".pub"), "PUBLIC KEY", public); err != nil {
			return err
		}
	}
	return nil
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
