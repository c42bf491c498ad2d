// Package revocation remembers what was revoked in the last minutes, and decides what is done again where it may be lost.
//
// A master that takes over may lack what the old one had acknowledged a moment before. So every replica of Signet remembers
// the revocations of the last minutes: its own, and those that other replicas announce. A session or token in this Log counts
// as revoked, whatever the store has. When a master changes, all of the log is applied again.
package revocation

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/store"
)

const (
	keptFor = 15 * time.Minute
	most    = 100_000 // entries of one kind; beyond it the oldest go early
)

// Ended is a revocation: of one session, of all sessions of a user that began before a time or in an
// epoch before one, or of one access token until it has run out.
type Ended struct {
	User      store.UserID    `json:"sub,omitzero"`
	Session   store.SessionID `json:"sid,omitzero"`
	NotBefore time.Time       `json:"time,omitzero"`
	Epoch     uint32          `json:"epoch,omitempty"`
	JTI       string          `json:"jti,omitempty"`
}

// EndedBy is what the record of a user ends.
func EndedBy(u store.User) Ended {
	return Ended{User: u.ID, NotBefore: store.Millis(u.NotBefore), Epoch: u.Epoch}
}

// ForEver is the not-before of a user who was deleted: there will be no session that counts.
var ForEver = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Target applies revocations again. To apply one twice, or where nothing was lost, changes nothing.
type Target interface {
	ReapplySession(ctx context.Context, user store.UserID, id store.SessionID) error
	ReapplyUser(ctx context.Context, lost store.User, replaced Replaced) error
	ReapplyEnd(ctx context.Context, e Ended) error
	ReapplyUserDeletion(ctx context.Context, id store.UserID) error
	ReapplyClient(ctx context.Context, lost store.Client, replaced Replaced) error
	ReapplyClientDeletion(ctx context.Context, deleted store.Client) error
	RevokeToken(ctx context.Context, jti string, until time.Time) error
}

// Log has what was revoked lately, and how to do it again. All methods may be called concurrently.
type Log struct {
	mu      sync.Mutex
	entries map[string]entry
	// order has the entries of each kind, oldest first; one that was replaced is in it more than once. The
	// kinds are apart, because clients can revoke their own tokens at will: that must not end what is
	// remembered of users, clients and sessions.
	order    map[string][]stamp
	sessions map[store.SessionID]struct{}
	ends     map[store.UserID]end
	tokens   map[string]struct{}
	now      func() time.Time
}

type entry struct {
	at      time.Time
	reapply func(ctx context.Context, t Target) error
	forget  func()

	replaced Replaced // by the change and those before it
}

type stamp struct {
	key string
	at  time.Time
}

// NewLog returns an empty log.
func NewLog() *Log {
	return &Log{entries: map[string]entry{}, order: map[string][]stamp{}, sessions: map[store.SessionID]struct{}{},
		ends: map[store.UserID]end{}, tokens: map[string]struct{}{}, now: time.Now}
}

// put remembers an entry under a key, in the place of an older one.
func (l *Log) put(key string, e entry) {
	e.at = l.now()
	l.entries[key] = e
	kind, _, _ := strings.Cut(key, " ")
	l.order[kind] = append(l.order[kind], stamp{key, e.at})
	for kind := range l.order {
		l.drop(kind, e.at)
	}
}

// drop forgets the entries of a kind that are too old or too many.
func (l *Log) drop(kind string, now time.Time) {
	order := l.order[kind]
	for len(order) > 0 && (len(order) > most || now.Sub(order[0].at) > keptFor) {
		oldest := order[0]
		order = order[1:]
		if e, ok := l.entries[oldest.key]; ok && e.at.Equal(oldest.at) {
			delete(l.entries, oldest.key)
			e.forget()
		}
	}
	l.order[kind] = order
}

// Announced remembers what another replica has announced.
func (l *Log) Announced(e Ended) {
	switch {
	case e.JTI != "":
		l.TokenRevoked(e.JTI, e.NotBefore)
	case !e.Session.IsZero():
		l.SessionEnded(e.User, e.Session)
	default:
		l.sessionsEnded(e)
	}
}

// SessionEnded remembers the end of one session.
func (l *Log) SessionEnded(user store.UserID, id store.SessionID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions[id] = struct{}{}
	l.put("session "+id.String(), entry{forget: func() { delete(l.sessions, id) }, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplySession(ctx, user, id)
	}})
}

// UserChanged remembers the change: a lost one may have been a new password, or the disabling of the
// user. before is the record that it has replaced, as it is in Redis.
func (l *Log) UserChanged(u store.User, before string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended(EndedBy(u))
	key := "user " + u.ID.String()
	replaced := l.entries[key].replaced.and(before)
	l.put(key, entry{replaced: replaced, forget: func() { l.forgetUser(u.ID) }, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplyUser(ctx, u, replaced)
	}})
}

// forgetUser is called when the entry of the user goes.
func (l *Log) forgetUser(id store.UserID) { delete(l.ends, id) }

// sessionsEnded is UserChanged for what another replica announces: this one does not have the record.
func (l *Log) sessionsEnded(e Ended) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended(e) {
		return
	}
	l.put("sessions "+e.User.String(), entry{forget: func() { l.forgetUser(e.User) }, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplyEnd(ctx, e)
	}})
}

// ended raises the user's epoch and not-before, and reports whether either has changed.
func (l *Log) ended(e Ended) bool {
	known := l.ends[e.User]
	next := known.and(e)
	if next == known {
		return false
	}
	l.ends[e.User] = next
	return true
}

// UserDeleted remembers that the user was deleted.
func (l *Log) UserDeleted(id store.UserID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended(Ended{User: id, NotBefore: ForEver})
	l.put("user "+id.String(), entry{forget: func() { l.forgetUser(id) }, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplyUserDeletion(ctx, id)
	}})
}

// ClientChanged is UserChanged for a client.
func (l *Log) ClientChanged(c store.Client, before string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := "client " + c.ID
	replaced := l.entries[key].replaced.and(before)
	l.put(key, entry{replaced: replaced, forget: func() {}, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplyClient(ctx, c, replaced)
	}})
}

// ClientDeleted remembers that the client was deleted.
func (l *Log) ClientDeleted(c store.Client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put("client "+c.ID, entry{forget: func() {}, reapply: func(ctx context.Context, t Target) error {
		return t.ReapplyClientDeletion(ctx, c)
	}})
}

// TokenRevoked remembers an access token that was revoked.
func (l *Log) TokenRevoked(jti string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[jti] = struct{}{}
	l.put("token "+jti, entry{forget: func() { delete(l.tokens, jti) }, reapply: func(ctx context.Context, t Target) error {
		return t.RevokeToken(ctx, jti, until)
	}})
}

// HasSession reports whether this session was ended by itself.
func (l *Log) HasSession(id store.SessionID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, ended := l.sessions[id]
	return ended
}

// HasEnded reports whether all sessions of the user were ended after this one began.
func (l *Log) HasEnded(session store.Session) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends[session.UserID].of(session)
}

// HasToken reports whether the access token was revoked.
func (l *Log) HasToken(jti string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, revoked := l.tokens[jti]
	return revoked
}

// Reapply applies all of the log again, and returns how many entries were applied and how many could not be.
func (l *Log) Reapply(ctx context.Context, t Target) (applied, failed int) {
	for _, e := range l.recent() {
		if err := e.reapply(ctx, t); err != nil {
			failed++
		} else {
			applied++
		}
	}
	return applied, failed
}

// Len is how many revocations are remembered.
func (l *Log) Len() int { return len(l.recent()) }

// recent returns the entries that are not too old.
func (l *Log) recent() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]entry, 0, len(l.entries))
	for _, e := range l.entries {
		if l.now().Sub(e.at) <= keptFor {
			list = append(list, e)
		}
	}
	return list
}

// end is what the sessions of a user that have ended are known by.
type end struct {
	notBefore time.Time
	epoch     uint32
}

// and is the end of whatever either of them ends.
func (n end) and(e Ended) end {
	return end{store.Later(n.notBefore, store.Millis(e.NotBefore)), max(n.epoch, e.Epoch)}
}

// of reports whether it ends a session.
func (n end) of(s store.Session) bool {
	return s.StartedAt.Before(n.notBefore) || s.UserEpoch < n.epoch
}

// Replaced are digests of the last records that a change, and those before it, have replaced.
type Replaced [][sha256.Size]byte

const mostReplaced = 16

// Has reports whether the record is, byte for byte, one of them.
func (r Replaced) Has(record string) bool { return slices.Contains(r, sha256.Sum256([]byte(record))) }

func (r Replaced) and(record string) Replaced {
	all := append(slices.Clone(r), sha256.Sum256([]byte(record)))
	return all[max(0, len(all)-mostReplaced):]
}
