package store

import (
	"iter"
	"time"
)

// An epoch numbers the times between two sign-outs of a user or client. A session carries the epochs
// that it began in, and is dead when they differ from those in the records of now. So no clock decides
// whether a session began before a sign-out or after it.

// MaxEpoch is the largest epoch: a session record keeps three bytes of each.
const MaxEpoch = 1<<24 - 1

// NextEpoch is the epoch after e. After the largest one comes the first again; the sessions of the
// first time are long gone then, because each rise has ended them.
func NextEpoch(e uint32) uint32 { return (e + 1) & MaxEpoch }

// clientNotBefore is the NotBefore that stands in for a raised epoch of c in a store of format 1. It is
// a whole second, as iat is: a token from just before must be dead too.
func clientNotBefore(c Client, now time.Time) time.Time {
	t := Millis(now)
	if c.NotBefore.After(t) {
		t = c.NotBefore
	}
	return t.Truncate(time.Second).Add(time.Second)
}

// The formats are the layouts that records have in a backend. Install.Schema names the one of a store.
const (
	// Format1 has no epochs, no revisions and no skipped generations: NotBefore stands in for the
	// epoch, and a late refresh is not answered. Binaries without Format2 can share the store.
	Format1 = 1
	// Format2 has all fields of the records here.
	Format2 = 2
)

// DropLaterEpochs passes the records of an archive on, except sessions that began in a later epoch than the
// records before them have of their user or client; dropped is called for each. An archive that was made
// beside running servers can have them, when the session was read after a sign-out and the client before it.
// Such a session is dead, and would be alive again as soon as the epoch is raised to its own.
func DropLaterEpochs(records iter.Seq2[Record, error], dropped func(Session)) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		users, clients := map[UserID]uint32{}, map[string]uint32{} // without those in the first epoch
		for r, err := range records {
			switch {
			case err != nil:
			case r.User != nil && r.User.Epoch != 0:
				users[r.User.ID] = r.User.Epoch
			case r.Client != nil && r.Client.Epoch != 0:
				clients[r.Client.ID] = r.Client.Epoch
			case r.Session != nil && (r.Session.UserEpoch > users[r.Session.UserID] || r.Session.ClientEpoch > clients[r.Session.ClientID]):
				dropped(*r.Session)
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
