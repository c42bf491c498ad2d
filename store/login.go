package store

import (
	"context"
	"time"
)

// Credential is what checking a user's password takes.
type Credential struct {
	UserID       UserID // zero: there is no such user
	PasswordHash string // self-describing; empty: cannot log in
	Disabled     bool
	Epoch        uint32 // the user's
}

// Credential returns u's credential.
func (u *User) Credential() Credential { return Credential{u.ID, u.PasswordHash, u.Disabled, u.Epoch} }

// Logins joins what comes before and what comes after the checking of a password, so that a backend
// at the other end of a network is asked twice for a login.
type Logins interface {
	// BeginLogin counts the attempt as Take does, and where it may go ahead returns the credential of
	// that canonical username, or the zero Credential when there is no such user. A password change
	// that was acknowledged before is seen.
	BeginLogin(ctx context.Context, now time.Time, a Attempt, username string) (wait time.Duration, c Credential, err error)
	// FinishLogin does what Forgive and StartSession do. Its errors are those of StartSession; after
	// one it is not known whether anything was forgiven.
	FinishLogin(ctx context.Context, f Forgiveness, s Session, b Bounds) (Session, User, error)
}
