package store

import (
	"context"
	"time"
)

// Logout is the end of a session of which its client is to be informed (OpenID Connect Back-Channel Logout 1.0).
type Logout struct {
	UserID    UserID    `json:"sub"`
	SessionID SessionID `json:"sid"`
	ClientID  string    `json:"client_id"`
	EndedAt   time.Time `json:"ended_at"` // when the session ended, to the millisecond
	Attempts  int       `json:"attempts"` // how often it was claimed, this time included
}

// LogoutQueue is the state of the queue of logouts at one moment.
type LogoutQueue struct {
	Length  int
	Oldest  time.Time // EndedAt of the oldest; zero: there is none
	Dropped uint64    // how many were dropped for newer ones, since the store was made
}

// MaxLogouts is how many logouts wait at most. Beyond it the oldest are dropped and counted.
const MaxLogouts = 100_000

// Logouts is the queue of the logouts of which clients have not been informed yet. A store puts a logout in it where a session
// ends whose client has a BackchannelLogoutURI at that moment, in the step that ends the session, so that a crash loses none. That
// is every end but two: the one that comes with the lifetime of the session, and the one of an epoch of the client. The first is
// noticed only when the session is presented or swept. The second ends sessions of all users, which no store walks over: the logout
// is in the queue when such a session is presented and found to be over.
//
// Each logout is delivered at least once: it stays in the queue until FinishLogout. Where several servers use a store the lease of
// a claim keeps them from delivering the same one at once.
//
// An embedded store has a logout in the queue when the session has ended. A store of several slots may bring one there a little
// later, with Sweep, where the process that ended the session crashed.
type Logouts interface {
	// ClaimLogouts returns up to limit logouts that are due at now, those that are due longest first. None of them is due again
	// before the lease is over.
	ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Logout, error)
	// FinishLogout takes a logout out of the queue, whoever has claimed it. One that is not there is no error.
	FinishLogout(ctx context.Context, l Logout) error
	// PostponeLogout makes a logout due again at some time after now, where it was not claimed again since. One that is not there
	// is no error.
	PostponeLogout(ctx context.Context, l Logout, now time.Time, after time.Duration) error
	// LogoutQueue returns the state of the queue.
	LogoutQueue(ctx context.Context) (LogoutQueue, error)
}
