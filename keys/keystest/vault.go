package keystest

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"

	"signet/keys/jose"
)

// ErrAway is the error of a Vault that is away.
var ErrAway = errors.New("the token was pulled out")

// Vault is a privatekey.Provider whose keys never leave it, and whose failures a test decides with Change.
type Vault struct {
	mu        sync.Mutex
	Keys      map[string]crypto.Signer // by reference
	Made      int                      // keys that were made
	Away      bool                     // signs and makes nothing
	Refuses   string                   // makes no keys of this algorithm
	Swapped   crypto.Signer            // signs in place of every key
	Hold      chan struct{}            // signatures wait for it; nil: they do not
	Signed    int                      // signatures that were asked for
	Discarded []string                 // references
	signing   int                      // signatures under way
}

// NewVault returns a Vault without keys.
func NewVault() *Vault { return &Vault{Keys: map[string]crypto.Signer{}} }

// Name implements privatekey.Provider.
func (*Vault) Name() string { return "vault" }

// NewKey implements privatekey.Provider.
func (v *Vault) NewKey(_ context.Context, alg string) (string, crypto.PublicKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.Away || v.Refuses == alg {
		return "", nil, ErrAway
	}
	signer, err := jose.Generate(alg)
	if err != nil {
		return "", nil, err
	}
	v.Made++
	reference := fmt.Sprint("key-", v.Made)
	v.Keys[reference] = signer
	return reference, signer.Public(), nil
}

// Signer implements privatekey.Provider.
func (v *Vault) Signer(reference string, public crypto.PublicKey) crypto.Signer {
	return vaultSigner{v, reference, public}
}

// Discard implements privatekey.Provider.
func (v *Vault) Discard(_ context.Context, reference string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.Keys, reference)
	v.Discarded = append(v.Discarded, reference)
	return nil
}

// Change changes the fields, which signatures under way read.
func (v *Vault) Change(change func(*Vault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

// Signing returns how many signatures are under way.
func (v *Vault) Signing() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.signing
}

// begin is what happens before a signature, end what comes after.
func (v *Vault) begin(reference string) (signer crypto.Signer, hold chan struct{}, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signing++
	v.Signed++
	signer = v.Keys[reference]
	if v.Swapped != nil {
		signer = v.Swapped
	}
	if v.Away || signer == nil {
		err = ErrAway
	}
	return signer, v.Hold, err
}

func (v *Vault) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signing--
}

// vaultSigner is a crypto.Signer and nothing more, as most libraries have it.
type vaultSigner struct {
	v         *Vault
	reference string
	public    crypto.PublicKey
}

func (s vaultSigner) Public() crypto.PublicKey { return s.public }

func (s vaultSigner) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	signer, hold, err := s.v.begin(s.reference)
	defer s.v.end()
	if err != nil {
		return nil, err
	}
	if hold != nil {
		<-hold // as a C library that hangs: nothing can end it from here
	}
	return signer.Sign(rand.Reader, digest, opts)
}
