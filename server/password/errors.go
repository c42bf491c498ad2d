package password

import "errors"

var (
	// ErrBusy: the queue was full or the wait was over; no hash was run. Asking again later is right.
	ErrBusy = errors.New("password hashing is busy")

	// ErrPassword: the text cannot be a password at all: not UTF-8, or with control characters.
	ErrPassword = errors.New("password is not usable text")

	// ErrUsername: the text cannot be a user name.
	ErrUsername = errors.New("user name not allowed")

	// ErrTooShort: fewer characters than the policy asks for.
	ErrTooShort = errors.New("password is too short")

	// ErrTooLong: more than MaxLength characters.
	ErrTooLong = errors.New("password is too long")

	// ErrCommon: among the passwords that are guessed first, or in a list of breached ones.
	ErrCommon = errors.New("password is easy to guess")

	// ErrContext: made mostly of the user's name, the service's or words that go with them.
	ErrContext = errors.New("password is made of words about the user or the service")
)
