// Package record reads and writes the records of a store in Redis: the install with its keyring, users and their names, clients,
// sessions, revoked tokens and used assertions. Each kind has a file, with the methods of the interfaces of package store.
package record

import (
	"errors"
	"fmt"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/logout"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
	"signet/store/redis/throttle"
	"signet/store/redis/trail"
)

// Deps are what the queries use.
type Deps struct {
	Conn        *conn.Conn
	Key         layout.Keyspace
	Codec       *layout.Codec
	Clock       script.Clock
	Trail       *trail.Trail // keeps the event of a change with the change
	Throttle    *throttle.Throttle
	Logouts     *logout.Queue
	Channel     *replica.Channel
	Revocations *revocation.Log
}

// Queries are those of all kinds of records. All methods may be called concurrently.
type Queries struct {
	*Installs
	*Users
	*Clients
	*Sessions
	*Assertions
	*Logins
}

// New returns the queries of one store.
func New(d Deps) *Queries {
	users, sessions := &Users{&names{&d}}, &Sessions{&d}
	return &Queries{&Installs{Deps: &d}, users, &Clients{&d}, sessions, newAssertions(&d), &Logins{&d, users, sessions}}
}

var _ revocation.Target = (*Queries)(nil)

// maxName is the longest name of anything that is kept; longer ones are a mistake.
const maxName = 4096

// errRaced: the record has changed since it was read.
var errRaced = errors.New("the record has changed since it was read")

// outcomeError is the error of the outcome of a script, and nil for "ok".
func outcomeError(doing, subject, outcome string) error {
	switch outcome {
	case "ok":
		return nil
	case "raced":
		return errRaced
	case "not found":
		return fmt.Errorf("%s: %w", subject, store.ErrNotFound)
	case "exists":
		return fmt.Errorf("%s: %w", subject, store.ErrExists)
	case "disabled":
		return fmt.Errorf("%s: %w", subject, store.ErrDisabled)
	default:
		return conn.UnexpectedReply(doing, outcome)
	}
}

// absentIsDone is nil where there is nothing left to take away.
func absentIsDone(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}
