package main

import (
	"iter"
	"slices"
	"time"

	"signet/store"
)

// kept is what was known to have been taken away since the backup, and stays so.
type kept struct {
	Keys []string `json:"keys_revoked"`
	changesKept
}

// changesKept are those of the records.
type changesKept struct {
	Sessions        int      `json:"sessions_ended"` // of those that the backup has
	Tokens          int      `json:"tokens_revoked"`
	DeletedUsers    []string `json:"users_deleted"`
	DisabledUsers   []string `json:"users_disabled"`
	SignedOutUsers  []string `json:"users_signed_out"` // all sessions from before were ended
	Passwords       []string `json:"passwords_void"`   // the new one is not known, and the old one is not good any more
	DeletedClients  []string `json:"clients_deleted"`
	DisabledClients []string `json:"clients_disabled"`
}

// overlay lays a recall over the records of a backup.
type overlay struct {
	*recall
	tokenLife time.Duration // the longest that a revoked token can have had
	now       time.Time
	kept      changesKept
	counts    archiveCounts
	names     map[string]string          // usernames of the users that something has happened to, by sub
	cut       map[store.UserID]time.Time // sessions of these users that began before are over
	clientsIn map[string]bool            // clients that something has happened to, and that the backup has
}

func newOverlay(r *recall, tokenLife time.Duration, now time.Time) *overlay {
	return &overlay{recall: r, tokenLife: tokenLife, now: now, names: map[string]string{}, cut: map[store.UserID]time.Time{}, clientsIn: map[string]bool{}}
}

// forever is later than any session begins.
var forever = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// records are those of the backup as they must be now, and what is known beyond them.
func (o *overlay) records(backup iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for record, err := range backup {
			if err == nil && !o.apply(&record) {
				continue
			}
			o.counts.add(record)
			if !yield(record, err) || err != nil {
				return
			}
		}
		for record := range o.further() {
			o.counts.add(record)
			if !yield(record, nil) {
				return
			}
		}
	}
}

// further are revoked tokens, used assertions and events that the backup does not have.
func (o *overlay) further() iter.Seq[store.Record] {
	return func(yield func(store.Record) bool) {
		for jti, at := range o.tokens {
			until := store.Millis(at.Add(o.tokenLife))
			if !until.After(o.now) {
				continue
			}
			o.kept.Tokens++
			if !yield(store.Record{RevokedToken: &store.RevokedToken{JTI: jti, Until: until}}) {
				return
			}
		}
		for _, a := range o.spent {
			if a.Until.Add(store.AssertionMargin).After(o.now) && !yield(store.Record{SpentAssertion: &a}) {
				return
			}
		}
		for _, e := range o.newEvents() {
			if !yield(store.Record{Event: &e}) {
				return
			}
		}
	}
}

// apply changes a record to what is known of it, and reports whether it is still there.
func (o *overlay) apply(r *store.Record) bool {
	switch {
	case r.Client != nil:
		return o.applyClient(r.Client)
	case r.User != nil:
		return o.applyUser(r.User)
	case r.Session != nil:
		if o.sessions[r.Session.ID] || r.Session.StartedAt.Before(o.cut[r.Session.UserID]) {
			o.kept.Sessions++
			return false
		}
	case r.RevokedToken != nil:
		delete(o.tokens, r.RevokedToken.JTI) // the backup knows it by itself
	}
	return true
}

func (o *overlay) applyUser(u *store.User) bool {
	sub := u.ID.String()
	c := o.users[sub]
	if c == nil {
		return true
	}
	o.names[sub] = u.Username
	if !c.deleted.IsZero() { // a sub is never given again
		o.cut[u.ID] = forever
		o.kept.DeletedUsers = append(o.kept.DeletedUsers, u.Username)
		return false
	}
	was := u.UpdatedAt
	if c.switched(&u.Disabled, was) {
		o.kept.DisabledUsers = append(o.kept.DisabledUsers, u.Username)
	}
	if c.secret.After(was) {
		u.PasswordHash = ""
		o.kept.Passwords = append(o.kept.Passwords, u.Username)
	}
	if c.ended.After(was) {
		o.kept.SignedOutUsers = append(o.kept.SignedOutUsers, u.Username)
	}
	u.NotBefore = notBefore(u.NotBefore, c.disabled, c.secret, c.ended)
	o.cut[u.ID] = u.NotBefore
	return true
}

func (o *overlay) applyClient(client *store.Client) bool {
	client.NotBefore = notBefore(client.NotBefore, o.everybody)
	c := o.clients[client.ID]
	if c == nil {
		return true
	}
	o.clientsIn[client.ID] = true
	if c.deleted.After(client.CreatedAt) {
		o.kept.DeletedClients = append(o.kept.DeletedClients, client.ID)
		return false
	}
	if c.switched(&client.Disabled, client.UpdatedAt) {
		o.kept.DisabledClients = append(o.kept.DisabledClients, client.ID)
	}
	client.NotBefore = notBefore(client.NotBefore, c.disabled)
	return true
}

// switched disables what was disabled since it was last changed, or enables it, and reports whether
// it has disabled it.
func (c *changes) switched(disabled *bool, changed time.Time) bool {
	switch {
	case !lastOf(c.disabled, c.enabled).After(changed):
	case c.enabled.After(c.disabled):
		*disabled = false
	case !*disabled:
		*disabled = true
		return true
	}
	return false
}

// lost is what was added or changed since the backup. It is for the operator to do again.
type lost struct {
	Logins         int      `json:"logins"`       // sessions that are gone
	Users          []string `json:"users"`        // made since
	UserImports    int      `json:"user_imports"` // whose users are gone
	ChangedUsers   []string `json:"users_changed"`
	Clients        []string `json:"clients"`
	ChangedClients []string `json:"clients_changed"`
	Secrets        []string `json:"client_secrets"` // rotated since: the newest does not work
}

// lost is complete when the records have gone by. name knows the usernames of the replaced store.
func (o *overlay) lost(name func(sub string) string) lost {
	l := lost{Logins: o.logins, UserImports: o.imports}
	called := func(sub string) string {
		if n := o.names[sub]; n != "" {
			return n
		}
		if n := name(sub); n != "" {
			return n
		}
		return sub
	}
	for sub, c := range o.users {
		_, restored := o.names[sub]
		switch {
		case !restored && c.created.After(o.since) && c.deleted.IsZero():
			l.Users = append(l.Users, called(sub))
		case restored && c.updated.After(o.since):
			l.ChangedUsers = append(l.ChangedUsers, called(sub))
		}
	}
	for id, c := range o.clients {
		restored := o.clientsIn[id]
		if c.created.After(o.since) && !c.deleted.After(c.created) {
			l.Clients = append(l.Clients, id)
			continue
		}
		if restored && c.updated.After(o.since) {
			l.ChangedClients = append(l.ChangedClients, id)
		}
		if restored && c.secret.After(o.since) {
			l.Secrets = append(l.Secrets, id)
		}
	}
	for _, list := range []*[]string{&l.Users, &l.ChangedUsers, &l.Clients, &l.ChangedClients, &l.Secrets} {
		slices.Sort(*list)
	}
	return l
}
