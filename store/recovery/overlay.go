package recovery

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"time"

	"signet/store"
)

// Preserved is what was taken away since the backup and stays so.
type Preserved struct {
	Sessions        int      `json:"sessions_ended"` // of those that the backup has
	Tokens          int      `json:"tokens_revoked"`
	DeletedUsers    []string `json:"users_deleted"`
	DisabledUsers   []string `json:"users_disabled"`
	SignedOutUsers  []string `json:"users_signed_out"`       // all their sessions from before were ended
	Passwords       []string `json:"passwords_void"`         // the new one is unknown, and the old one is void
	NewPasswords    []string `json:"passwords_new"`          // the new one is that of the replaced store
	NarrowedUsers   []string `json:"users_narrowed"`         // claims that were removed or changed stay so
	DeletedClients  []string `json:"clients_deleted"`        //
	DisabledClients []string `json:"clients_disabled"`       //
	NarrowedClients []string `json:"clients_narrowed"`       // rights that were taken stay taken
	NewSecrets      []string `json:"client_secrets_new"`     // secrets are those of the replaced store
	RevokedSecrets  []string `json:"client_secrets_revoked"` // a secret of the backup was revoked
	Unreadable      int      `json:"records_unreadable"`     // in the replaced store; events count for them
	Generations     int      `json:"sessions_moved_on"`      // whose spent refresh tokens stay spent
}

// Overlay lays a History over the records of a backup.
type Overlay struct {
	*History
	Preserved Preserved

	ctx       context.Context
	replaced  *Replaced     // nil: it could not be read
	tokenLife time.Duration // the longest that a revoked token can have had

	names     map[string]string // usernames of the users of the backup that changed, by sub
	users     map[store.UserID]ending
	clients   map[string]ending
	clientsIn map[string]bool // clients that changed and that the backup has
}

// ending is which sessions of a user or a client are over, and the epoch of those that are not.
type ending struct {
	gone   bool
	before time.Time // sessions that began before are over
	epoch  uint32    // sessions that began under a lower one are over
}

// NewOverlay returns an overlay. tokenLife is the longest life of an access token: the time for which a
// revocation that only an event names is kept. ctx bounds reads of the replaced store.
func NewOverlay(ctx context.Context, h *History, r *Replaced, tokenLife time.Duration) *Overlay {
	return &Overlay{History: h, ctx: ctx, replaced: r, tokenLife: tokenLife, names: map[string]string{},
		users: map[store.UserID]ending{}, clients: map[string]ending{}, clientsIn: map[string]bool{}}
}

// Records returns the records of the backup as they must be now, and what is known beyond them. Clients and
// users must come before their sessions, as every export has them.
func (o *Overlay) Records(backup iter.Seq2[store.Record, error]) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for record, err := range backup {
			if err == nil {
				err = o.ctx.Err()
			}
			if err == nil && !o.apply(&record) {
				continue
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
		for record := range o.extraRecords() {
			if !yield(record, nil) {
				return
			}
		}
	}
}

// extraRecords are revoked tokens, used assertions and codes, and events that the backup does not have, and the restore
// itself: it has lost the rotations since the backup.
func (o *Overlay) extraRecords() iter.Seq[store.Record] {
	return func(yield func(store.Record) bool) {
		for jti, at := range o.tokens {
			if _, exact := o.until[jti]; !exact {
				o.until[jti] = store.Millis(at.Add(o.tokenLife))
			}
		}
		for _, jti := range slices.Sorted(maps.Keys(o.until)) {
			if !o.until[jti].After(o.now) {
				continue
			}
			o.Preserved.Tokens++
			if !yield(store.Record{RevokedToken: &store.RevokedToken{JTI: jti, Until: o.until[jti]}}) {
				return
			}
		}
		for _, a := range o.assertions {
			if a.Until.Add(store.AssertionMargin).After(o.now) && !yield(store.Record{UsedAssertion: &a}) {
				return
			}
		}
		for _, c := range o.codes {
			if c.Until.Add(store.AssertionMargin).After(o.now) && o.hasUser(c.UserID) && !yield(store.Record{UsedCode: &c}) {
				return
			}
		}
		if !yield(store.Record{Loss: &store.Loss{At: o.now}}) {
			return
		}
		for _, e := range o.newEvents() {
			if !yield(store.Record{Event: &e}) {
				return
			}
		}
	}
}

func (o *Overlay) hasUser(id store.UserID) bool {
	user, known := o.users[id]
	return known && !user.gone
}

// apply changes a record to what is known of it, and reports whether it is still there.
func (o *Overlay) apply(r *store.Record) bool {
	switch {
	case r.Client != nil:
		r.Client.UpdatedAt = o.comparable(r.Client.UpdatedAt, r.Client.CreatedAt)
		return o.applyClient(r.Client)
	case r.User != nil:
		r.User.UpdatedAt = o.comparable(r.User.UpdatedAt, r.User.CreatedAt)
		return o.applyUser(r.User)
	case r.Session != nil:
		if !o.applySession(r.Session) {
			o.Preserved.Sessions++
			return false
		}
	case r.RevokedToken != nil:
		delete(o.tokens, r.RevokedToken.JTI) // the backup has it itself
		delete(o.until, r.RevokedToken.JTI)
	}
	return true
}

// comparable returns when a record was updated. A time from after the restore was written by a wrong clock and
// would be later than every event: then each event that takes something away counts.
func (o *Overlay) comparable(updated, created time.Time) time.Time {
	if !updated.After(o.now) {
		return updated
	}
	if created.After(o.now) {
		return time.Unix(0, 0).UTC()
	}
	return created
}

func (o *Overlay) applyUser(u *store.User) bool {
	sub := u.ID.String()
	c := o.History.users[sub]
	now, stands := o.replacedUser(u.ID)
	if c == nil && stands == unknown {
		o.users[u.ID] = ending{before: u.NotBefore, epoch: u.Epoch}
		return true
	}
	if c == nil {
		c = &changes{}
	} else {
		o.names[sub] = u.Username
		c = c.against(u.UpdatedAt, u.Revision)
	}
	if stands == absent || stands != present && !c.deleted.IsZero() { // a sub is never given again
		o.users[u.ID] = ending{gone: true}
		o.Preserved.DeletedUsers = append(o.Preserved.DeletedUsers, u.Username)
		return false
	}
	was := *u
	if stands == present {
		o.userOfState(u, now)
	} else {
		o.userOfEvents(u, c)
	}
	if u.Disabled && !was.Disabled {
		o.Preserved.DisabledUsers = append(o.Preserved.DisabledUsers, u.Username)
	}
	u.Epoch = max(u.Epoch, c.epoch)
	end := ending{before: u.NotBefore, epoch: u.Epoch}
	if stands != present {
		end.before = notBefore(u.NotBefore, c.disabled, c.secret, c.ended)
		u.NotBefore = end.before
	}
	if u.Epoch > was.Epoch || c.ended.After(was.UpdatedAt) {
		o.Preserved.SignedOutUsers = append(o.Preserved.SignedOutUsers, u.Username)
	}
	o.users[u.ID] = end
	return true
}

// userOfState takes from the user what the replaced store no longer gave.
func (o *Overlay) userOfState(u *store.User, now store.User) {
	u.Disabled, u.Imported, u.Move, u.MovedAt = now.Disabled, now.Imported, now.Move, now.MovedAt
	if u.PasswordHash != now.PasswordHash {
		u.PasswordHash = now.PasswordHash
		o.Preserved.NewPasswords = append(o.Preserved.NewPasswords, u.Username)
	}
	if claims, narrowed := narrowClaims(u.Claims, now.Claims); narrowed {
		u.Claims = claims
		o.Preserved.NarrowedUsers = append(o.Preserved.NarrowedUsers, u.Username)
	}
	u.Epoch, u.Revision = max(u.Epoch, now.Epoch), max(u.Revision, now.Revision)
	u.NotBefore, u.UpdatedAt = latest(u.NotBefore, now.NotBefore), latest(u.UpdatedAt, now.UpdatedAt)
}

// userOfEvents takes from the user what events name.
func (o *Overlay) userOfEvents(u *store.User, c *changes) {
	was := u.UpdatedAt
	u.Disabled = c.switched(u.Disabled, was)
	if c.secret.After(was) {
		u.SetPassword("")
		o.Preserved.Passwords = append(o.Preserved.Passwords, u.Username)
	}
}

// switched is the disabled flag after the events, where the record has had the value is since the time was.
func (c *changes) switched(is bool, was time.Time) bool {
	switch {
	case !latest(c.disabled, c.enabled).After(was):
		return is
	case c.enabled.After(c.disabled):
		return false
	default:
		return true
	}
}

// narrowClaims returns the claims that both records give: of a list its common members, of anything else that
// differs the newer value. A claim that only the newer record has was added since, and is lost with it.
func narrowClaims(had, now map[string]json.RawMessage) (claims map[string]json.RawMessage, narrowed bool) {
	claims = make(map[string]json.RawMessage, len(had))
	for name, value := range had {
		newer, still := now[name]
		switch {
		case !still:
			narrowed = true
		case string(newer) == string(value):
			claims[name] = value
		default:
			both, changed := commonMembers(value, newer)
			claims[name] = both
			narrowed = narrowed || changed
		}
	}
	return claims, narrowed
}

// commonMembers returns the members that two JSON lists share, or newer where one of them is no list.
// changed is false where that is the older value.
func commonMembers(older, newer json.RawMessage) (both json.RawMessage, changed bool) {
	var had, now []json.RawMessage
	if json.Unmarshal(older, &had) != nil || json.Unmarshal(newer, &now) != nil || had == nil || now == nil {
		return newer, true
	}
	left := slices.DeleteFunc(slices.Clone(had), func(member json.RawMessage) bool {
		return !slices.ContainsFunc(now, func(m json.RawMessage) bool { return string(m) == string(member) })
	})
	if len(left) == len(had) {
		return older, false
	}
	both, err := json.Marshal(left)
	if err != nil {
		return newer, true
	}
	return both, true
}

func (o *Overlay) applySession(s *store.Session) bool {
	user, ok := o.users[s.UserID]
	client := o.clients[s.ClientID]
	now, stands := o.replacedSession(s)
	switch {
	case !ok || user.gone || client.gone || stands == absent || stands == unknown && (o.sessions[s.ID] || !s.Parent.IsZero() && o.sessions[s.Parent]):
		return false
	case s.UserEpoch < user.epoch && (stands != present || now.UserEpoch < user.epoch):
		return false
	case s.ClientEpoch < client.epoch && (stands != present || now.ClientEpoch < client.epoch):
		return false
	case s.UserEpoch > user.epoch || s.ClientEpoch > client.epoch: // see store.DropLaterEpochs
		return false
	case s.StartedAt.Before(user.before) || s.StartedAt.Before(client.before):
		return false
	}
	if stands == present && now.Generation >= s.Generation {
		if now.Generation > s.Generation {
			o.Preserved.Generations++
		}
		*s = now
	}
	if reached := o.reached[s.ID]; reached > s.Generation {
		// A line of the log names a later generation. Its predecessor may still be in the hands of an app
		// that has not seen the answer.
		s.Generation, s.Replays, s.Skipped = reached, 0, 0
		o.Preserved.Generations++
	}
	return true
}

// Lost is what was added or changed since the backup. The operator must do it again.
type Lost struct {
	Logins         int      `json:"logins"`       // sessions that are gone
	Users          []string `json:"users"`        // made since
	UserImports    int      `json:"user_imports"` // whose users are gone
	ChangedUsers   []string `json:"users_changed"`
	Clients        []string `json:"clients"`
	ChangedClients []string `json:"clients_changed"`
	Secrets        []string `json:"client_secrets"` // rotated since: the newest does not work
}

// Lost is complete when all records have been read. name returns the username of a user of the replaced
// store, or "".
func (o *Overlay) Lost(name func(sub string) string) Lost {
	l := Lost{Logins: o.logins, UserImports: o.imports}
	called := func(sub string) string {
		if n := o.names[sub]; n != "" {
			return n
		}
		if n := name(sub); n != "" {
			return n
		}
		return sub
	}
	for sub, c := range o.History.users {
		_, restored := o.names[sub]
		switch {
		case !restored && c.created.After(o.since) && c.deleted.IsZero():
			l.Users = append(l.Users, called(sub))
		case restored && c.updated.After(o.since):
			l.ChangedUsers = append(l.ChangedUsers, called(sub))
		}
	}
	for id, c := range o.History.clients {
		if c.created.After(o.since) && !c.deleted.After(c.created) {
			l.Clients = append(l.Clients, id)
			continue
		}
		if !o.clientsIn[id] {
			continue
		}
		if c.updated.After(o.since) {
			l.ChangedClients = append(l.ChangedClients, id)
		}
		adds := func(r secretRotation) bool { return r.adds }
		if c.secret.After(o.since) && !slices.Contains(o.Preserved.NewSecrets, id) && slices.ContainsFunc(c.rotations, adds) {
			l.Secrets = append(l.Secrets, id)
		}
	}
	for _, list := range []*[]string{&l.Users, &l.ChangedUsers, &l.Clients, &l.ChangedClients, &l.Secrets} {
		slices.Sort(*list)
	}
	return l
}
