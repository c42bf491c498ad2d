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
	Move         Move
}

// Credential returns u's credential.
func (u *User) Credential() Credential {
	return Credential{u.ID, u.PasswordHash, u.Disabled, u.Epoch, u.Move}
}

// Login is a session that has begun with a login.
type Login struct {
	Session        Session
	User           User   // of this moment
	ClientsVersion string // see Clients
}

// Logins joins what comes before and what comes after the checking of a password, so that a backend
// at the other end of a network is asked twice for a login.
type Logins interface {
	// BeginLogin reserves as Allow does, and where the attempt may go ahead returns the credential of
	// that canonical username, or the zero Credential when there is no such user. A password change
	// that was acknowledged before is seen.
	BeginLogin(ctx context.Context, now time.Time, a Attempt, username string) (Admission, Credential, error)
	// FinishLogin does what StartSession does, and the attempt has succeeded: it gives its places back,
	// forgets the failures of limits that forgive, and notes the network of scopes that have one. Its
	// errors are those of StartSession; after one it is not known whether any of that was done. It returns
	// the version of the clients as it is then: where it is another one than before the login, the
	// client may be too.
	FinishLogin(ctx context.Context, now time.Time, r Receipt, s Session, b SessionLimits) (Login, error)
}
