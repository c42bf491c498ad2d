package keys

import "errors"

var (
	// ErrExists: Init found a keyring; nothing was changed.
	ErrExists = errors.New("a keyring already exists")

	// ErrNoKeyring: the store is empty. A new keyring is made by Init only, so that a wiped store
	// does not become a new issuer.
	ErrNoKeyring = errors.New("there is no keyring in the store")

	// ErrMasterKey: the keyring does not open: another master key, another install, or a forged or
	// renumbered document. Nothing was changed.
	ErrMasterKey = errors.New("the keyring does not open with this master key and install id")

	// ErrFormat: the keyring is not one, or was written by a newer Signet. Nothing was changed.
	ErrFormat = errors.New("the keyring is in a format this version does not read")

	// ErrStale: the keyring could not be read for too long, so this replica may have missed a
	// change. The edge answers 503 with Retry-After.
	ErrStale = errors.New("the keyring has not been read for too long")

	// ErrAlgorithm: no key signs with that algorithm at this moment.
	ErrAlgorithm = errors.New("no active signing key for the algorithm")

	// ErrProvider: a key's private half is elsewhere, and this replica was given no Provider for it.
	// Nothing was changed.
	ErrProvider = errors.New("the keyring has a key that this replica has no access to")

	// ErrSigner: a remote key did not sign, or was not made: too many wait, no answer in time, or a
	// refusal. Nothing was decided; the edge answers 503 with Retry-After.
	ErrSigner = errors.New("the signing key cannot be reached")

	// ErrInvalidToken: the token is not one that this install signed and still vouches for. It says
	// no more than that on purpose.
	ErrInvalidToken = errors.New("invalid token")
)
