package store

import "time"

// An epoch numbers the times between two sign-outs of a user or client. A session carries the epochs
// that it began in, and is dead when they differ from those in the records of now. So no clock decides
// whether a session began before a sign-out or after it.

// MaxEpoch is the largest epoch: a session record keeps three bytes of each.
const MaxEpoch = 1<<24 - 1

// NextEpoch is the epoch after e. After the largest one comes the first again; the sessions of the
// first time are long gone then, because each rise has ended them.
func NextEpoch(e uint32) uint32 { return (e + 1) & MaxEpoch }

// ClientNotBefore is the NotBefore that stands in for a raised epoch of c in a store of format 1. It is
// a whole second, as iat is: a token from just before must be dead too.
func ClientNotBefore(c Client, now time.Time) time.Time {
	t := Millis(now)
	if c.NotBefore.After(t) {
		t = c.NotBefore
	}
	return t.Truncate(time.Second).Add(time.Second)
}

// The formats are the layouts that records have in a backend. Install.Schema names the one of a store.
const (
	// Format1 has no epochs, no revisions and no skipped generations: NotBefore stands in for the
	// epoch, and a late refresh is not answered. Binaries that know nothing else can share the store.
	Format1 = 1
	// Format2 has all fields of the records here.
	Format2 = 2
)
