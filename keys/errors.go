package keys

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrExists: Init found a keyring; nothing was changed.
	ErrExists = errors.New("a keyring already exists")

	// ErrNoKeyring: the store is empty. A new keyring is made by Init only, so that a wiped store
	// does not become a new issuer.
	ErrNoKeyring = errors.New("there is no keyring in the store")

	// ErrStale: the keyring could not be read for too long, so this replica may have missed a
	// change. The edge answers 503 with Retry-After.
	ErrStale = errors.New("the keyring has not been read for too long")

	// ErrAlgorithm: no key signs with that algorithm at this moment.
	ErrAlgorithm = errors.New("no active signing key for the algorithm")

	// ErrUnknownKey: the install never had a key of that kid.
	ErrUnknownKey = errors.New("there is no key of that kid")

	// ErrRevoked: the key was revoked before.
	ErrRevoked = errors.New("the key was revoked before")

	// ErrGone: the key has left the key set at the end of its life.
	ErrGone = errors.New("the key is gone already")

	// ErrProvider: a key's private half is elsewhere, and this replica was given no Provider for it.
	// Nothing was changed.
	ErrProvider = errors.New("the keyring has a key that this replica has no access to")

	// ErrSigner: a remote key did not sign, or was not made: too many wait, no answer in time, or a
	// refusal. Nothing was decided; the edge answers 503 with Retry-After.
	ErrSigner = errors.New("the signing key cannot be reached")

	// ErrInvalidToken: the token is not one that this install signed and still vouches for. It says
	// no more than that on purpose.
	ErrInvalidToken = errors.New("invalid token")

	// ErrUnreadable is an ErrInvalidToken: this install has signed the token, and its claims are not of the
	// expected types.
	ErrUnreadable = fmt.Errorf("%w: it was signed here, and its claims cannot be read", ErrInvalidToken)
)

// NotAgedError: a signing key was to be revoked whose successor some verifiers may not have yet.
// Nothing was changed.
type NotAgedError struct {
	Alg         string
	KID         string // the successor; empty: there is none
	PublishedAt time.Time
	KnownAt     time.Time // when every verifier that honours its cache time has it
}

// Error implements error.
func (e *NotAgedError) Error() string {
	if e.KID == "" {
		return fmt.Sprintf("the %s key has no successor", e.Alg)
	}
	return fmt.Sprintf("the successor %s is published since %s and known to every verifier from %s",
		e.KID, e.PublishedAt.Format(time.RFC3339), e.KnownAt.Format(time.RFC3339))
}

// CrowdedError: the key set has as many keys of the algorithm as verifiers are known to keep.
// Nothing was changed.
type CrowdedError struct {
	Alg   string
	Until time.Time // when one of them leaves
}

// Error implements error.
func (e *CrowdedError) Error() string {
	return fmt.Sprintf("%d %s keys are published, and none leaves before %s", maxPublished, e.Alg, e.Until.Format(time.RFC3339))
}
