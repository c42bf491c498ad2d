package privatekey

import (
	"context"
	"crypto"
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
