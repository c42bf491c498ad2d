package main

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/store"
)

// A backup does not know what was revoked after it. Audit events do: recall gathers them, from the
// trail of the store that is replaced and from logs, and lays them over the records of the backup.
// Only what takes away is laid over, and what gave it back again. What was added or changed since is
// lost with the store, and is for the operator to do again; the report names it.
type recall struct {
	since  time.Time       // the backup shows this moment, or a later one
	last   time.Time       // of the newest that is in the backup
	seen   map[string]bool // events by their marks: the trail and a log have the same ones
	events []store.Event   // from after it, for the restored trail

	keys      map[string]bool // kids of keys that were revoked
	sessions  map[store.SessionID]bool
	tokens    map[string]time.Time // ids of revoked access tokens, and when
	users     map[string]*changes  // by sub
	clients   map[string]*changes
	spent     []store.SpentAssertion // of the store that is replaced: it may take less than their life
	everybody time.Time              // all sessions of everybody were ended
	logins    int                    // since the backup
	imports   int                    // of users, since the backup
}

// changes are the things that can happen to a user or a client, each with when it did last.
type changes struct {
	created, updated, deleted, disabled, enabled, ended, secret time.Time
}

func newRecall(b *backupFile) *recall {
	seen := map[string]bool{}
	maps.Copy(seen, b.newest)
	r := &recall{since: b.last, last: b.last, seen: seen, keys: map[string]bool{}, sessions: map[store.SessionID]bool{},
		tokens: map[string]time.Time{}, users: map[string]*changes{}, clients: map[string]*changes{}}
	if b.asOf.Before(b.last) {
		r.since = b.asOf
	}
	for _, e := range b.late {
		r.take(e)
	}
	return r
}

// eventMark tells events apart, wherever they are written down.
func eventMark(e store.Event) string {
	mark := e.Type + " " + e.Outcome + " " + e.RequestID + " " + e.KeyID + " " + e.SessionID
	if e.RequestID == "" {
		mark += " " + e.Detail["version"] + " " + strconv.FormatInt(e.At.Unix(), 10)
	}
	return mark
}

// note takes an event down.
func (r *recall) note(e store.Event) {
	e.At = store.Millis(e.At) // as the records have it
	mark := eventMark(e)
	if r.seen[mark] {
		return
	}
	r.seen[mark] = true
	if e.At.After(r.last) {
		e.Seq = 0
		r.events = append(r.events, e)
		r.count(e)
	}
	r.take(e)
}

// take keeps what the event took away, or gave.
func (r *recall) take(e store.Event) {
	switch e.Type {
	case "key.revoked", "keys.revoke":
		if e.KeyID != "" {
			r.keys[e.KeyID] = true
		}
	case "revoke", "session.revoke", "refresh", "refresh_reuse":
		r.noteSession(e)
	case "session.revoke_everybody":
		r.everybody = lastOf(r.everybody, e.At)
	default:
		r.noteChange(e)
	}
}

func (r *recall) count(e store.Event) {
	switch {
	case e.Type == "login" && e.Outcome == "ok":
		r.logins++
	case e.Type == "user.import":
		r.imports++
	}
}

// noteSession: what a revocation, an operator, a client that has lost a right or a thief has ended.
func (r *recall) noteSession(e store.Event) {
	switch {
	case e.Type == "refresh" && e.Outcome != "revoked", e.Outcome == "refused":
		return // nothing was ended
	case e.Detail["jti"] != "":
		r.tokens[e.Detail["jti"]] = e.At
		return
	}
	if id, err := store.ParseSessionID(e.SessionID); err == nil {
		r.sessions[id] = true
	}
}

// changeKinds are the events about a user or a client, and where they are taken down.
var changeKinds = map[string]func(*changes) *time.Time{
	"create":        func(c *changes) *time.Time { return &c.created },
	"update":        func(c *changes) *time.Time { return &c.updated },
	"delete":        func(c *changes) *time.Time { return &c.deleted },
	"disable":       func(c *changes) *time.Time { return &c.disabled },
	"enable":        func(c *changes) *time.Time { return &c.enabled },
	"set_password":  func(c *changes) *time.Time { return &c.secret },
	"rotate_secret": func(c *changes) *time.Time { return &c.secret },
	"revoke_all":    func(c *changes) *time.Time { return &c.ended },
}

func (r *recall) noteChange(e store.Event) {
	noun, verb, _ := strings.Cut(e.Type, ".")
	all, id := r.users, e.Subject
	if noun == "client" {
		all, id = r.clients, e.ClientID
	}
	kind := changeKinds[verb]
	if kind == nil || id == "" || e.Outcome != "ok" {
		return
	}
	if all[id] == nil {
		all[id] = &changes{}
	}
	last := kind(all[id])
	*last = lastOf(*last, e.At)
}

func lastOf(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// notBefore is the not-before that ends what was begun up to each of the times, and is not below what
// it was.
func notBefore(was time.Time, times ...time.Time) time.Time {
	if last := lastOf(times...); !last.IsZero() {
		return lastOf(was, store.Millis(last).Add(time.Millisecond))
	}
	return was
}

// newEvents are those from after the backup, oldest first.
func (r *recall) newEvents() []store.Event {
	slices.SortStableFunc(r.events, func(a, b store.Event) int { return a.At.Compare(b.At) })
	return r.events
}
