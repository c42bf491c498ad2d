package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"signet/store"
)

// A master that takes over may lack what the old one had acknowledged a moment before. So every
// replica of Signet remembers the revocations of the last minutes, its own and those it hears of,
// does not believe a store that has forgotten one, and does them again when a master changes.

const (
	journalKept = 15 * time.Minute
	journalMost = 100_000 // entries; beyond it the oldest go early
)

type journal struct {
	mu         sync.Mutex
	entries    map[string]entry
	order      []stamp // of entries, oldest first; one that was replaced is in it more than once
	sessions   map[store.SessionID]struct{}
	notBefores map[store.UserID]time.Time
	tokens     map[string]struct{}
	now        func() time.Time
}

// entry is one thing to do again. Doing it twice, or where nothing was lost, changes nothing.
type entry struct {
	at     time.Time
	again  func(ctx context.Context, s *Store) error
	forget func()
}

type stamp struct {
	key string
	at  time.Time
}

func (j *journal) init() {
	j.entries = map[string]entry{}
	j.sessions = map[store.SessionID]struct{}{}
	j.notBefores = map[store.UserID]time.Time{}
	j.tokens = map[string]struct{}{}
	j.now = time.Now
}

// put remembers an entry under a key, in the place of an older one.
func (j *journal) put(key string, forget func(), again func(ctx context.Context, s *Store) error) {
	now := j.now()
	j.entries[key] = entry{now, again, forget}
	j.order = append(j.order, stamp{key, now})
	for len(j.order) > 0 && (len(j.order) > journalMost || now.Sub(j.order[0].at) > journalKept) {
		oldest := j.order[0]
		j.order = j.order[1:]
		if e, ok := j.entries[oldest.key]; ok && e.at.Equal(oldest.at) {
			delete(j.entries, oldest.key)
			e.forget()
		}
	}
}

func (j *journal) sessionEnded(user store.UserID, id store.SessionID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sessions[id] = struct{}{}
	j.put("session "+id.String(), func() { delete(j.sessions, id) }, func(ctx context.Context, s *Store) error {
		key := s.key.sessions(user)
		return s.doDurably(ctx, "revoking a session again", command(key, "hdel", key, id[:]))
	})
}

// userChanged remembers the whole record: a lost change may have been a new password, or the
// disabling of the user.
func (j *journal) userChanged(u userRecord) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended(u.ID, u.NotBefore)
	j.put("user "+u.ID.String(), func() { delete(j.notBefores, u.ID) }, func(ctx context.Context, s *Store) error {
		if err := s.doDurably(ctx, "changing a user again", restoreUserScript.call(s.key.userAndSessions(u.ID), u.pack())); err != nil {
			return err
		}
		if err := s.announceCredential(ctx, u); err != nil {
			return err
		}
		return s.copyCredential(ctx, u)
	})
}

// sessionsEnded is userChanged for what another replica tells: it does not have the record.
func (j *journal) sessionsEnded(user store.UserID, notBefore time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.ended(user, notBefore) {
		return
	}
	j.put("sessions "+user.String(), func() { delete(j.notBefores, user) }, func(ctx context.Context, s *Store) error {
		return s.doDurably(ctx, "revoking all sessions again", revokeSessionsScript.call(s.key.userAndSessions(user), millis(notBefore)))
	})
}

// ended raises the user's not-before and reports whether that was news.
func (j *journal) ended(user store.UserID, notBefore time.Time) bool {
	if notBefore = store.Millis(notBefore); !j.notBefores[user].Before(notBefore) {
		return false
	}
	j.notBefores[user] = notBefore
	return true
}

// forEver is the not-before of a user who was deleted: there will be no session that counts.
var forEver = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

func (j *journal) userDeleted(id store.UserID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.ended(id, forEver)
	j.put("user "+id.String(), func() { delete(j.notBefores, id) }, func(ctx context.Context, s *Store) error { return known(s.DeleteUser(ctx, id)) })
}

func (j *journal) clientChanged(c store.Client) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("client "+c.ID, func() {}, func(ctx context.Context, s *Store) error { return s.restoreClient(ctx, c) })
}

func (j *journal) clientDeleted(c store.Client) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.put("client "+c.ID, func() {}, func(ctx context.Context, s *Store) error { return s.deleteClientAgain(ctx, c) })
}

func (j *journal) tokenRevoked(jti string, until time.Time) {
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

func (j *journal) hasSession(id store.SessionID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ended := j.sessions[id]
	return ended
}

func (j *journal) notBefore(user store.UserID) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.notBefores[user]
}

func (j *journal) hasToken(jti string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, revoked := j.tokens[jti]
	return revoked
}

// recent returns what is still remembered.
func (j *journal) recent() []entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := make([]entry, 0, len(j.entries))
	for _, e := range j.entries {
		if j.now().Sub(e.at) <= journalKept {
			list = append(list, e)
		}
	}
	return list
}
