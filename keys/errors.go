package keys

import "errors"

var (
	// ErrExists: Init found a keyring; nothing was changed.
	ErrExists = errors.New("a keyring already exists")

	// ErrNoKeyring: the store is empty. Only Init makes a new keyring, so that a wiped store does not become a
	// new issuer.
	ErrNoKeyring = errors.New("there is no keyring in the store")

	// ErrStale: the keyring could not be read for too long, so this replica may have missed a change. The
	// request may be repeated.
	ErrStale = errors.New("the keyring has not been read for too long")
)
