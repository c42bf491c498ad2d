package keys

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"signet/keys/jose"
)

// makeTimeout is how long a Step waits for a new remote key at most. An HSM may search for RSA primes
// for many seconds; meanwhile the keyring is not read.
const makeTimeout = 30 * time.Second

// remoteKeys makes, opens and uses the keys of one Provider. A nil one opens none.
type remoteKeys struct {
	provider Provider
	signing  *gate
	making   *gate
}

func newRemoteKeys(r Remote, tt Timetable) *remoteKeys {
	if r.Provider == nil {
		return nil
	}
	making := min(makeTimeout, tt.SignStale/2)
	return &remoteKeys{r.Provider, newGate(r.Concurrency, r.Queue, r.Timeout), newGate(1, 0, making)}
}

// newKey makes a remote key, ready for a ring.
func (r *remoteKeys) newKey(ctx context.Context, alg string) (Key, error) {
	var made Key
	err := r.making.do(ctx, func(ctx context.Context) error {
		reference, public, err := r.provider.NewKey(ctx, alg)
		if err != nil {
			return err
		}
		k, err := r.key(alg, reference, public)
		if err == nil {
			err = ctx.Err() // nobody waits for it any more
		}
		if err != nil {
			return errors.Join(err, r.discard(context.WithoutCancel(ctx), reference))
		}
		made = k
		return nil
	})
	if err != nil {
		return Key{}, fmt.Errorf("%w: %s: %w", ErrSigner, r.provider.Name(), err)
	}
	return made, nil
}

// key joins what is known of a remote key to a Key without a timetable.
func (r *remoteKeys) key(alg, reference string, public crypto.PublicKey) (Key, error) {
	return keyOf(alg, privateParts{signer: r.provider.Signer(reference, public), public: public, remote: r, reference: reference})
}

func (r *remoteKeys) discard(ctx context.Context, reference string) error {
	ctx, cancel := context.WithTimeout(ctx, r.signing.timeout)
	defer cancel()
	if err := r.provider.Discard(ctx, reference); err != nil {
		return fmt.Errorf("%s: destroying key %s, which nothing uses: %w", r.provider.Name(), reference, err)
	}
	return nil
}

// sealedRemote is what the keyring holds of a remote key.
type sealedRemote struct {
	Provider  string `json:"provider"`
	Reference string `json:"reference"`
	Public    []byte `json:"public"` // PKIX
}

// sealed is what the keyring holds of the key.
func (r *remoteKeys) sealed(k privateParts) (*sealedRemote, error) {
	public, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return &sealedRemote{r.provider.Name(), k.reference, public}, nil
}

// open is the way back from sealed. ErrProvider where this replica has no access to the key.
func (r *remoteKeys) open(alg string, sealed *sealedRemote) (Key, error) {
	if r == nil || r.provider.Name() != sealed.Provider {
		return Key{}, fmt.Errorf("%w: its private half is in %q", ErrProvider, sealed.Provider)
	}
	public, err := x509.ParsePKIXPublicKey(sealed.Public)
	if err != nil {
		return Key{}, errors.New("public key is not PKIX")
	}
	return r.key(alg, sealed.Reference, public)
}

// signRemote has the input signed elsewhere, within bounds. What comes back is verified before it
// goes out: a wrong key under the reference, or a signer with a fault, must not make a token that
// nobody can verify.
func (k privateParts) signRemote(ctx context.Context, input string) ([]byte, error) {
	var signature []byte
	err := k.remote.signing.do(ctx, func(ctx context.Context) (err error) {
		signature, err = jose.SignWith(k.alg, contextual{k.signer, ctx}.sign, input)
		return err
	})
	if err == nil && jose.Verify(k.alg, k.public, input, signature) != nil {
		err = fmt.Errorf("the signature does not fit key %s", k.reference)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSigner, k.remote.provider.Name(), err)
	}
	return signature, nil
}

// contextual is a signer within one call.
type contextual struct {
	crypto.Signer
	ctx context.Context
}

func (c contextual) sign(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s, ok := c.Signer.(ContextSigner); ok {
		return s.SignContext(c.ctx, digest, opts)
	}
	return c.Sign(rand.Reader, digest, opts)
}
