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

	// ErrLocked: another process has the backend open and it takes only one.
	ErrLocked = errors.New("in use by another process")

	// ErrSchema: the data were written by a newer Signet than this one.
	ErrSchema = errors.New("written by a newer version of signet")
)
