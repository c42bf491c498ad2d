package keys

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"
)

// Provider makes and uses signing keys whose private half stays elsewhere: in an HSM or a KMS. The
// keyring holds a reference and the public key in its place. Its methods may be called concurrently.
type Provider interface {
	// Name is one word for the place of the keys. It is written into the keyring, so it never changes.
	Name() string

	// NewKey makes a key pair for the algorithm whose private half cannot be taken out. The reference
	// finds it again, for every replica and after a restart. After an error no key is left behind, as far as
	// that can be avoided.
	NewKey(ctx context.Context, alg string) (reference string, public crypto.PublicKey, err error)

	// Signer returns the signer of a key that NewKey made, perhaps years ago and for another replica.
	// It does no I/O: a keyring opens also while the keys cannot be reached, and errors come when the signer
	// signs. A ContextSigner can stop when its caller has given up.
	Signer(reference string, public crypto.PublicKey) crypto.Signer

	// Discard destroys a key that NewKey made and that never came into a keyring.
	Discard(ctx context.Context, reference string) error
}

// ContextSigner is a crypto.Signer that can give up.
type ContextSigner interface {
	crypto.Signer

	// SignContext is Sign until ctx ends.
	SignContext(ctx context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

// Remote configures keys whose private half is elsewhere.
type Remote struct {
	Provider    Provider      // nil: there are none
	MakeLocal   bool          // make new keys here all the same; those of the Provider continue until they retire
	Timeout     time.Duration // for one signature, its wait for a turn included; 0 means 2 s
	Concurrency int           // signatures that are requested at once; 0 means 8
	Queue       int           // how many more may wait for their turn; 0 means 8 for each at once
}

const (
	defaultSignTimeout = 2 * time.Second
	defaultConcurrency = 8
	queuePerSlot       = 8
)

func (r Remote) withDefaults() (Remote, error) {
	if r.Timeout < 0 || r.Concurrency < 0 || r.Queue < 0 {
		return r, fmt.Errorf("timeout %v, concurrency %d and queue %d of remote keys must not be negative", r.Timeout, r.Concurrency, r.Queue)
	}
	if r.Provider == nil && r.MakeLocal {
		return r, errors.New("keys cannot return from a provider when there is none")
	}
	if r.Timeout == 0 {
		r.Timeout = defaultSignTimeout
	}
	if r.Concurrency == 0 {
		r.Concurrency = defaultConcurrency
	}
	if r.Queue == 0 {
		r.Queue = queuePerSlot * r.Concurrency
	}
	return r, nil
}
