package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"signet/store"
	"signet/store/redis/conn"
)

// A master that takes over may lack what the old one had acknowledged a moment before. So every
// replica of Signet remembers the revocations of the last minutes: its own, and those that other replicas
// announce. A session or token in this log counts as revoked, whatever the store has. When a master changes, all of
// the log is applied again.

const (
	revocationsKept = 15 * time.Minute
	revocationsMost = 100_000 // entries of one kind; beyond it the oldest go early
)

// revocationLog has what was revoked lately, and how to do it again.
type revocationLog struct {
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

// entry is one revocation. To apply it twice, or where nothing was lost, changes nothing.
type entry struct {
	at      time.Time
	reapply func(ctx context.Context, s *Store) error
	forget  func()

	replaced []digest // of the records that the change, and those before it, have replaced
}

type stamp struct {
	key string
	at  time.Time
}

func newRevocationLog() *revocationLog {
	return &revocationLog{entries: map[string]entry{}, order: map[string][]stamp{}, sessions: map[store.SessionID]struct{}{},
		ends: map[store.UserID]end{}, tokens: map[string]struct{}{}, now: time.Now}
}

// put remembers an entry under a key, in the place of an older one.
func (j *revocationLog) put(key string, forget func(), reapply func(ctx context.Context, s *Store) error) {
	now := j.now()
	j.entries[key] = entry{at: now, reapply: reapply, forget: forget}
	kind, _, _ := strings.Cut(key, " ")
	j.order[kind] = append(j.order[kind], stamp{key, now})
	for kind := range j.order {
		j.drop(kind, now)
	}
}

// drop forgets the entries of a kind that are too old or too many.
func (j *revocationLog) drop(kind string, now time.Time) {
	order := j.order[kind]
	for len(order) > 0 && (len(order) > revocationsMost || now.Sub(order[0].at) > revocationsKept) {
		oldest := order[0]
		order = order[1:]
		if e, ok := j.entries[oldest.key]; ok && e.at.Equal(oldest.at) {
			delete(j.entries, oldest.key)
			e.forget()
		}
	}
	j.order[kind] = order
}

func (j *revocationLog) sessionEnded(user store.UserID, id store.SessionID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sessions[id] = struct{}{}
	j.put("session "+id.String(), func() { delete(j.sessions, id) }, func(ctx context.Context, s *Store) error {
		key := s.key.Sessions(user)
		return s.conn.DoDurably(ctx, "revoking a session again", conn.Write("hdel", key, id[:]))
	})
}

// userChanged remembers the change: a lost one may have been a new password, or the disabling of the
// user. before is the record that it has replaced, as it lies in Redis.
func (j *revocationLog) userChanged(u store.User, before string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended(endedBy(u))
	key := "user " + u.ID.String()
	replaced := j.replaced(key, before)
	j.put(key, func() { j.forgetUser(u.ID) }, func(ctx context.Context, s *Store) error {
		return s.reapplyUser(ctx, u, replaced)
	})
	j.remember(key, replaced)
}

// forgetUser is called when the entry of the user goes.
func (j *revocationLog) forgetUser(id store.UserID) { delete(j.ends, id) }

// sessionsEnded is userChanged for what another replica announces: this one does not have the record.
func (j *revocationLog) sessionsEnded(e ended) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended(e) {
		return
	}
	j.put("sessions "+e.User.String(), func() { j.forgetUser(e.User) }, func(ctx context.Context, s *Store) error {
		return s.reapplyEnd(ctx, e)
	})
}

// ended raises the user's epoch and not-before, and reports whether either has changed.
func (j *revocationLog) ended(e ended) bool {
	known := j.ends[e.User]
	next := known.and(e)
	if next == known {
		return false
	}
	j.ends[e.User] = next
	return true
}

// end is what the sessions of a user that have ended are known by.
type end struct {
	notBefore time.Time
	epoch     uint32
}

// and is the end of whatever either of them ends.
func (n end) and(e ended) end {
	return end{later(n.notBefore, store.Millis(e.NotBefore)), max(n.epoch, e.Epoch)}
}

// of reports whether it ends a session.
func (n end) of(s store.Session) bool {
	return s.StartedAt.Before(n.notBefore) || s.UserEpoch < n.epoch
}

// forEver is the not-before of a user who was deleted: there will be no session that counts.
var forEver = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (j *revocationLog) userDeleted(id store.UserID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended(ended{User: id, NotBefore: forEver})
	j.put("user "+id.String(), func() { j.forgetUser(id) }, func(ctx context.Context, s *Store) error { return known(s.DeleteUser(ctx, id)) })
}

func (j *revocationLog) clientChanged(c store.Client, before string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	key := "client " + c.ID
	replaced := j.replaced(key, before)
	j.put(key, func() {}, func(ctx context.Context, s *Store) error { return s.reapplyClient(ctx, c, replaced) })
	j.remember(key, replaced)
}

func (j *revocationLog) clientDeleted(c store.Client) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("client "+c.ID, func() {}, func(ctx context.Context, s *Store) error { return s.reapplyDeletion(ctx, c) })
}

func (j *revocationLog) tokenRevoked(jti string, until time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tokens[jti] = struct{}{}
	j.put("token "+jti, func() { delete(j.tokens, jti) }, func(ctx context.Context, s *Store) error { return s.RevokeToken(ctx, jti, until) })
}

// known takes "it is not there" for done.
func known(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func (j *revocationLog) hasSession(id store.SessionID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ended := j.sessions[id]
	return ended
}

// hasEnded reports whether all sessions of the user were ended after this one began.
func (j *revocationLog) hasEnded(session store.Session) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ends[session.UserID].of(session)
}

func (j *revocationLog) hasToken(jti string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, revoked := j.tokens[jti]
	return revoked
}

// recent returns what is still remembered.
func (j *revocationLog) recent() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]entry, 0, len(j.entries))
	for _, e := range j.entries {
		if j.now().Sub(e.at) <= revocationsKept {
			list = append(list, e)
		}
	}
	return list
}
