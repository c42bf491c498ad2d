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
	"signet/keys/rotation"
)

// makeTimeout is how long a Step waits for a new remote key at most. An HSM may search for RSA primes
// for many seconds; meanwhile the keyring is not read.
const makeTimeout = 30 * time.Second

// remoteKeys makes, opens and uses the keys of one Provider. A nil one opens none.
type remoteKeys struct {
	provider Provider
	signing  *limiter
	making   *limiter
}

func newRemoteKeys(r Remote, tt rotation.Timetable) *remoteKeys {
	if r.Provider == nil {
		return nil
	}
	making := min(makeTimeout, tt.SignStale/2)
	return &remoteKeys{r.Provider, newLimiter(r.Concurrency, r.Queue, r.Timeout), newLimiter(1, 0, making)}
}

// newKey makes a remote key.
func (r *remoteKeys) newKey(ctx context.Context, alg string) (kid string, k *privateKey, err error) {
	err = r.making.do(ctx, func(ctx context.Context) error {
		reference, public, err := r.provider.NewKey(ctx, alg)
		if err != nil {
			return err
		}
		madeKID, made, err := r.key(alg, reference, public)
		if err == nil {
			err = ctx.Err() // its caller has given up
		}
		if err != nil {
			return errors.Join(err, r.discard(context.WithoutCancel(ctx), reference))
		}
		kid, k = madeKID, made
		return nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("%w: %s: %w", ErrSigner, r.provider.Name(), err)
	}
	return kid, k, nil
}

// key joins what is known of a remote key.
func (r *remoteKeys) key(alg, reference string, public crypto.PublicKey) (kid string, k *privateKey, err error) {
	return privateKeyOf(alg, privateParts{signer: r.provider.Signer(reference, public), public: public, remote: r, reference: reference})
}

func (r *remoteKeys) discard(ctx context.Context, reference string) error {
	ctx, cancel := context.WithTimeout(ctx, r.signing.timeout)
	defer cancel()
	if err := r.provider.Discard(ctx, reference); err != nil {
		return fmt.Errorf("%s: destroying key %s, which nothing uses: %w", r.provider.Name(), reference, err)
	}
	return nil
}

// remoteRef is what the document holds of a remote key.
type remoteRef struct {
	Provider  string `json:"provider"`
	Reference string `json:"reference"`
	Public    []byte `json:"public"` // PKIX
}

// encode returns what the document holds of the key.
func (r *remoteKeys) encode(k privateParts) (*remoteRef, error) {
	public, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil, fmt.Errorf("encoding a public key: %w", err)
	}
	return &remoteRef{r.provider.Name(), k.reference, public}, nil
}

// open returns the key of a reference. ErrProvider where this replica has no access to the key.
func (r *remoteKeys) open(alg string, ref *remoteRef) (kid string, k *privateKey, err error) {
	if r == nil || r.provider.Name() != ref.Provider {
		return "", nil, fmt.Errorf("%w: its private half is in %q", ErrProvider, ref.Provider)
	}
	public, err := x509.ParsePKIXPublicKey(ref.Public)
	if err != nil {
		return "", nil, errors.New("public key is not PKIX")
	}
	return r.key(alg, ref.Reference, public)
}

// signRemote has the input signed elsewhere, within bounds. The signature is verified before it is used: a
// wrong key under the reference, or a faulty signer, must not make a token that cannot be verified.
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

var (
	errBusy = errors.New("too many wait for their turn already")
	errLate = errors.New("it took too long")
)

// limiter bounds calls that may hang: so many at once, so many waiting, so long in all.
type limiter struct {
	room    chan struct{} // holds one for each call that runs or waits
	slots   chan struct{} // holds one for each call that runs
	timeout time.Duration
}

func newLimiter(slots, queue int, timeout time.Duration) *limiter {
	return &limiter{room: make(chan struct{}, slots+queue), slots: make(chan struct{}, slots), timeout: timeout}
}

// do runs call when its turn has come, and waits for it no longer than the timeout. A call that does not
// return is abandoned and keeps its slot until it does: so there are never more of them than slots. The
// context of call has ended when its caller has given up.
func (l *limiter) do(ctx context.Context, call func(context.Context) error) error {
	select {
	case l.room <- struct{}{}:
	default:
		return errBusy
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.timeout, errLate)
	defer cancel()
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		<-l.room
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	go func() {
		err := call(ctx)
		<-l.slots
		<-l.room
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
