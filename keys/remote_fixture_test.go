package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"

	"signet/keys/jose"
)

var errToken = errors.New("the token was pulled out")

// vault is a Provider whose keys never leave it, and whose moods a test decides.
type vault struct {
	mu        sync.Mutex
	keys      map[string]crypto.Signer
	serial    int
	away      bool          // signs and makes nothing
	refuses   string        // makes no keys of this algorithm
	swapped   crypto.Signer // signs in place of every key
	hold      chan struct{} // signatures wait for it; nil: they do not
	signing   int           // signatures under way
	discarded []string
}

func newVault() *vault { return &vault{keys: map[string]crypto.Signer{}} }

func (*vault) Name() string { return "vault" }

func (v *vault) NewKey(_ context.Context, alg string) (string, crypto.PublicKey, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.away || v.refuses == alg {
		return "", nil, errToken
	}
	signer, err := jose.Generate(alg)
	if err != nil {
		return "", nil, err
	}
	v.serial++
	reference := fmt.Sprint("key-", v.serial)
	v.keys[reference] = signer
	return reference, signer.Public(), nil
}

func (v *vault) Signer(reference string, public crypto.PublicKey) crypto.Signer {
	return vaultSigner{v, reference, public}
}

func (v *vault) Discard(_ context.Context, reference string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.keys, reference)
	v.discarded = append(v.discarded, reference)
	return nil
}

func (v *vault) set(change func(*vault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(v)
}

// count returns how many signatures are under way.
func (v *vault) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.signing
}

// begin is what happens before a signature, end what comes after.
func (v *vault) begin(reference string) (signer crypto.Signer, hold chan struct{}, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signing++
	signer = v.keys[reference]
	if v.swapped != nil {
		signer = v.swapped
	}
	if v.away || signer == nil {
		err = errToken
	}
	return signer, v.hold, err
}

func (v *vault) end() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signing--
}

// vaultSigner is a crypto.Signer and nothing more, as most libraries have it.
type vaultSigner struct {
	v         *vault
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

func remoteConfig(s Storage, c *clock, v *vault) Config {
	cfg := testConfig(s, c)
	cfg.Remote.Provider = v
	return cfg
}

// heldBy counts the manager's keys by where their private half is.
func heldBy(m *Manager) map[string]int {
	n := map[string]int{}
	for _, k := range m.Keys() {
		n[k.Held]++
	}
	return n
}

// mustVerify reports whether the manager takes the token.
func mustVerify(t testing.TB, m *Manager, token string) {
	t.Helper()
	var claims map[string]string
	if _, err := m.Verify(token, "at+jwt", &claims); err != nil {
		t.Errorf("Verify: %v", err)
	}
}
