package keys

import (
	"errors"
	"fmt"
)

var (
	// ErrExists: Init found a keyring; nothing was changed.
	ErrExists = errors.New("a keyring already exists")

	// ErrNoKeyring: the store is empty. Only Init makes a new keyring, so that a wiped store does not become a
	// new issuer.
	ErrNoKeyring = errors.New("there is no keyring in the store")

	// ErrStale: the keyring could not be read for too long, so this replica may have missed a change. The
	// request may be repeated.
	ErrStale = errors.New("the keyring has not been read for too long")

	// ErrInvalidToken: the token was not signed by this install with a key that is still valid. It gives no
	// reason, because the caller may be an attacker.
	ErrInvalidToken = errors.New("invalid token")

	// ErrUnreadable is an ErrInvalidToken: this install has signed the token, and its claims are not of the
	// expected types.
	ErrUnreadable = fmt.Errorf("%w: it was signed here, and its claims cannot be read", ErrInvalidToken)
)
