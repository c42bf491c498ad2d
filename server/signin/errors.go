package signin

import (
	"errors"
	"time"

	"signet/store"
)

// Errors of the input. Nothing was looked at.
var (
	ErrIncomplete  = errors.New("username and password are both needed")
	ErrNameTooLong = errors.New("username is too long")
)

// RefusedError is a login of an unknown user, with a wrong password, or of a user who is disabled. The caller must not see
// which.
type RefusedError struct {
	Reason string // the true one, for the operator
}

func (e *RefusedError) Error() string { return "login refused: " + e.Reason }

// ThrottledError is a login of an account or a network with too many failed ones. The password was not looked at.
type ThrottledError struct {
	Wait time.Duration // before the next attempt
}

func (e *ThrottledError) Error() string { return "too many failed logins" }

// refusal is the true reason, for the operator.
func refusal(c store.Credential) string {
	switch {
	case c.UserID.IsZero():
		return "no such user"
	case c.Disabled:
		return "user is disabled"
	case c.Move == store.MovePending:
		return "user has not moved from the upstream"
	case c.Move == store.MoveStay:
		return "password of the user is at the upstream"
	case c.PasswordHash == "":
		return "user has no password"
	}
	return "wrong password"
}
