package store

import "errors"

var (
	// ErrNotFound: there is no record under that name.
	ErrNotFound = errors.New("not found")

	// ErrExists: the name is taken; nothing was changed.
	ErrExists = errors.New("already exists")

	// ErrDisabled: the user is there but disabled; nothing was changed.
	ErrDisabled = errors.New("disabled")

	// ErrUnavailable: the backend cannot answer now (disk full, closed, connection lost). Whether a
	// write happened is unknown. Asking again later is right.
	ErrUnavailable = errors.New("store unavailable")

	// ErrMisconfigured: what answers is not the backend of the configuration, or refuses its credentials. Asking again
	// does not help. It comes together with ErrUnavailable.
	ErrMisconfigured = errors.New("store is misconfigured")

	// ErrLocked: another process has the backend open and it takes only one.
	ErrLocked = errors.New("in use by another process")

	// ErrSchema: the data were written by a newer Signet than this one.
	ErrSchema = errors.New("written by a newer version of signet")
)
