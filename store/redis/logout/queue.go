// Package logout has the queue of logouts in Redis, and the clients that are informed of the end of their sessions.
//
// The queue is in one slot, and sessions are in those of their users. So the script that ends a session keeps the logout in the
// outbox of its own slot, and answers it too; whoever called the script then puts it in the queue, and takes it out of the outbox.
// The replica that sweeps does the same with what a dead replica has left in an outbox.
//
// A script cannot see the clients either. It gets the ids of those that are informed, which every replica keeps in memory: it
// asks often whether any client has changed.
package logout

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Queue is a store.Logouts. All methods may be called concurrently.
type Queue struct {
	conn  *conn.Conn
	key   layout.Keyspace
	clock script.Clock
	max   int

	mu       sync.Mutex
	loaded   bool
	version  string              // of the clients that clients is from; empty: it may be out of date
	clients  map[string]struct{} // that are informed
	changes  int                 // made by NoteClient
	informed string              // what scripts get; empty: it is to be made from clients
}

// New returns the queue of a store, in which so many logouts wait at most.
func New(cn *conn.Conn, key layout.Keyspace, clock script.Clock, most int) *Queue {
	return &Queue{conn: cn, key: key, clock: clock, max: most, clients: map[string]struct{}{}}
}

// Clients that are informed, as scripts get them.
const (
	noClients  = ""
	allClients = "*"
)

// mostNamed is how many clients are named to a script. Where there are more all are informed, and the sender leaves out the others.
const mostNamed = 256

// Informed returns the clients that are informed when a session of theirs ends, for a script. Before LoadClients these are all.
func (q *Queue) Informed() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case !q.loaded || len(q.clients) > mostNamed:
		return allClients
	case len(q.clients) == 0:
		return noClients
	}
	if q.informed == "" {
		var b strings.Builder
		for id := range q.clients {
			b.WriteString("\n" + id + "\n")
		}
		q.informed = b.String()
	}
	return q.informed
}

// NoteClient notes that this replica has changed a client.
func (q *Queue) NoteClient(id string, informed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.changes++
	q.informed = ""
	if delete(q.clients, id); informed {
		q.clients[id] = struct{}{}
	}
}

// LoadClients reads all clients again where the version of the clients is another one than at the last time.
func (q *Queue) LoadClients(version string, list func() ([]store.Client, error)) error {
	q.mu.Lock()
	changes, current := q.changes, q.loaded && version != "" && version == q.version
	q.mu.Unlock()
	if current {
		return nil
	}
	all, err := list()
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.changes != changes {
		return nil // the list may be from before that change; the next time finds another version
	}
	q.loaded, q.version, q.informed, q.clients = true, version, "", map[string]struct{}{}
	for _, c := range all {
		if c.BackchannelLogoutURI != "" {
			q.clients[c.ID] = struct{}{}
		}
	}
	return nil
}

// Add puts logouts in the queue. Those that are there stay as they are. A zero EndedAt is the server's time.
func (q *Queue) Add(ctx context.Context, logouts []store.Logout) error {
	if len(logouts) == 0 {
		return nil
	}
	args := []any{q.max, q.clock.Argument(time.Now())}
	for _, l := range logouts {
		args = append(args, l.SessionID[:], script.Millis(l.EndedAt), l.UserID[:], l.ClientID)
	}
	keys := q.key.All(layout.Logouts, layout.LogoutsDue, layout.LogoutsEnded, layout.LogoutsDropped)
	return q.conn.DoDurably(ctx, "queueing logouts", script.AddLogouts.Call(keys, args...))
}

// ClaimLogouts implements store.Logouts.
func (q *Queue) ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]store.Logout, error) {
	claim := script.ClaimLogouts.Call(q.key.All(layout.Logouts, layout.LogoutsDue), q.clock.Argument(now), script.CeilMillis(lease), limit)
	if err := q.conn.Do(ctx, "claiming logouts", claim); err != nil {
		return nil, err
	}
	pairs := claim.List()
	var list []store.Logout
	for pair := range slices.Chunk(pairs, 2) {
		if len(pair) != 2 || len(pair[0]) != len(store.SessionID{}) {
			return nil, conn.Malformed("the queue of logouts", conn.ErrReply)
		}
		l, _, err := codec.DecodeLogout(store.SessionID([]byte(pair[0])), []byte(pair[1]))
		if err != nil {
			return nil, conn.Malformed("the queue of logouts", err)
		}
		list = append(list, l)
	}
	return list, nil
}

// FinishLogout implements store.Logouts.
func (q *Queue) FinishLogout(ctx context.Context, l store.Logout) error {
	keys := q.key.All(layout.Logouts, layout.LogoutsDue, layout.LogoutsEnded)
	return q.conn.Do(ctx, "finishing a logout", script.FinishLogout.Call(keys, l.SessionID[:]))
}

// PostponeLogout implements store.Logouts.
func (q *Queue) PostponeLogout(ctx context.Context, l store.Logout, now time.Time, after time.Duration) error {
	keys := q.key.All(layout.Logouts, layout.LogoutsDue)
	call := script.PostponeLogout.Call(keys, l.SessionID[:], l.Attempts, q.clock.Argument(now), script.CeilMillis(after))
	return q.conn.Do(ctx, "postponing a logout", call)
}

// LogoutQueue implements store.Logouts.
func (q *Queue) LogoutQueue(ctx context.Context) (state store.LogoutQueue, err error) {
	look := script.LogoutQueue.Call(q.key.All(layout.Logouts, layout.LogoutsEnded, layout.LogoutsDropped))
	if err := q.conn.Do(ctx, "looking at the queue of logouts", look); err != nil {
		return state, err
	}
	parts := look.List()
	if len(parts) != 3 {
		return state, conn.Malformed("the queue of logouts", conn.ErrReply)
	}
	length, err := strconv.ParseUint(parts[0], 10, 31)
	if err != nil {
		return state, conn.Malformed("the queue of logouts", err)
	}
	if state.Dropped, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return state, conn.Malformed("the queue of logouts", err)
	}
	state.Length = int(length)
	if parts[2] != "" {
		r := codec.NewReader([]byte(parts[2]))
		state.Oldest = r.Time()
		if r.Err() != nil {
			return store.LogoutQueue{}, conn.Malformed("the queue of logouts", codec.ErrMalformed)
		}
	}
	return state, nil
}
