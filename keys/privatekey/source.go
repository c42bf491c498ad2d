package privatekey

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"signet/keys/jose"
)

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

// Validate returns what is wrong with r, or nil.
func (r Remote) Validate() error {
	if r.Timeout < 0 || r.Concurrency < 0 || r.Queue < 0 {
		return fmt.Errorf("timeout %v, concurrency %d and queue %d of remote keys must not be negative", r.Timeout, r.Concurrency, r.Queue)
	}
	if r.Provider == nil && r.MakeLocal {
		return errors.New("keys cannot return from a provider when there is none")
	}
	return nil
}

// Source makes private keys and opens stored ones, in memory and at one Provider.
type Source struct {
	provider  Provider // nil: every key is local
	makeLocal bool
	signing   *limiter
	making    *limiter
}

// NewSource returns the Source of r, which is valid. A new remote key may take as long as making: an HSM may search
// for RSA primes for many seconds.
func NewSource(r Remote, making time.Duration) *Source {
	slots := cmp.Or(r.Concurrency, defaultConcurrency)
	signing := newLimiter(slots, cmp.Or(r.Queue, queuePerSlot*slots), cmp.Or(r.Timeout, defaultSignTimeout))
	return &Source{r.Provider, r.Provider == nil || r.MakeLocal, signing, newLimiter(1, 0, making)}
}

// Remote reports whether the Source has a Provider.
func (s *Source) Remote() bool { return s.provider != nil }

// New makes a key for the algorithm, at the Provider unless Remote.MakeLocal is set. Its kid is the thumbprint of its
// public key (RFC 7638).
func (s *Source) New(ctx context.Context, alg string) (kid string, k *Key, err error) {
	if s.makeLocal {
		return newLocal(alg)
	}
	err = s.making.do(ctx, func(ctx context.Context) error {
		reference, public, err := s.provider.NewKey(ctx, alg)
		if err != nil {
			return err
		}
		madeKID, made, err := s.key(alg, reference, public)
		if err == nil {
			err = ctx.Err() // its caller has given up
		}
		if err != nil {
			return errors.Join(err, s.discard(context.WithoutCancel(ctx), reference))
		}
		kid, k = madeKID, made
		return nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("%w: %s: %w", ErrSigner, s.provider.Name(), err)
	}
	return kid, k, nil
}

// Open returns a key that is stored. ErrProvider where this Source has no access to it.
func (s *Source) Open(alg string, stored Stored) (kid string, k *Key, err error) {
	switch ref := stored.Remote; {
	case ref == nil && stored.PKCS8.IsZero():
		return "", nil, errors.New("there is no private key")
	case ref == nil:
		return openLocal(alg, stored.PKCS8.Reveal())
	case s.provider == nil || s.provider.Name() != ref.Provider:
		return "", nil, fmt.Errorf("%w: its private half is in %q", ErrProvider, ref.Provider)
	default:
		public, err := x509.ParsePKIXPublicKey(ref.Public)
		if err != nil {
			return "", nil, errors.New("public key is not PKIX")
		}
		return s.key(alg, ref.Reference, public)
	}
}

// key joins what is known of a remote key.
func (s *Source) key(alg, reference string, public crypto.PublicKey) (kid string, k *Key, err error) {
	return newKey(alg, parts{signer: s.provider.Signer(reference, public), public: public, remote: s, reference: reference})
}

// Discard destroys a remote key that New made and that never came into a keyring. Of a local one nothing is left.
func (s *Source) Discard(ctx context.Context, k *Key) error {
	if !k.Remote() {
		return nil
	}
	return s.discard(ctx, k.Reveal().reference)
}

func (s *Source) discard(ctx context.Context, reference string) error {
	ctx, cancel := context.WithTimeout(ctx, s.signing.timeout)
	defer cancel()
	if err := s.provider.Discard(ctx, reference); err != nil {
		return fmt.Errorf("%s: destroying key %s, which nothing uses: %w", s.provider.Name(), reference, err)
	}
	return nil
}

// signRemote has the input signed elsewhere, within bounds. The signature is verified before it is used: a
// wrong key under the reference, or a faulty signer, must not make a token that cannot be verified.
func (p parts) signRemote(ctx context.Context, input string) ([]byte, error) {
	var signature []byte
	err := p.remote.signing.do(ctx, func(ctx context.Context) (err error) {
		signature, err = jose.SignWith(p.alg, contextual{p.signer, ctx}.sign, input)
		return err
	})
	if err == nil && jose.Verify(p.alg, p.public, input, signature) != nil {
		err = fmt.Errorf("the signature does not fit key %s", p.reference)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSigner, p.remote.provider.Name(), err)
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
