package users

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"

	"signet/server/account"
	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/audit"
	"signet/server/edge"
	"signet/server/password/hash"
	"signet/server/syntax"
	"signet/store"
)

// importing is one request of ImportUsers.
type importing struct {
	*Users
	keys      [][32]byte // of digests, see importDigest
	r         *call.Request
	conflict  string
	dryRun    bool
	allowWeak bool
	idClaim   string
	notMoved  bool // users without a hash are marked as not moved
	wrapLater bool // hashes that may be wrapped later are stored as they are
}

func newImporting(h *Users, keys [][32]byte, r *call.Request) (*importing, error) {
	q, err := input.ReadQuery(r.Request, "on_conflict", "dry_run", "allow_weak", "id_claim", "not_moved", "wrap_later")
	if err != nil {
		return nil, err
	}
	in := &importing{Users: h, keys: keys, r: r, conflict: q["on_conflict"], idClaim: q["id_claim"]}
	switch in.conflict {
	case "":
		in.conflict = api.ConflictFail
	case api.ConflictFail, api.ConflictSkip, api.ConflictUpdate:
	default:
		return nil, input.Invalid("on_conflict must be fail, skip or update")
	}
	if in.idClaim == "" {
		in.idClaim = api.DefaultIDClaim
	}
	if why := syntax.CheckClaim(in.idClaim); why != "" {
		return nil, input.Invalid("id_claim %s", why)
	}
	for name, into := range map[string]*bool{"dry_run": &in.dryRun, "allow_weak": &in.allowWeak, "not_moved": &in.notMoved,
		"wrap_later": &in.wrapLater} {
		if *into, err = q.Flag(name); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// incoming is a line that was read: a user as they would be made, and what is compared with one who is there.
type incoming struct {
	user     store.User
	claims   map[string]json.RawMessage // changes, with the id among them
	id       json.RawMessage            // in the old system; nil: not named
	disabled *bool
	fast     bool             // the hash is to be wrapped before it is stored
	mayWait  bool             // the hash is fast to guess, and may be wrapped later
	digests  []store.Imported // of the hash, by each master key
	aliases  []string         // as they were typed
}

// read reads a line.
func (in *importing) read(data []byte, l *line) {
	var row api.UserRecord
	if l.err = input.DecodeJSON(data, &row); l.err != nil {
		return
	}
	l.username = row.Username
	c, err := in.incoming(row)
	l.key, l.id, l.err = c.user.Username, idText(c.id), err
	l.do = func() error { return in.accept(&c, l) }
}

// idText returns an id as it is compared: 7 and "7" are one.
func idText(id json.RawMessage) string {
	var text string
	if json.Unmarshal(id, &text) == nil {
		return text
	}
	return string(id)
}

func (in *importing) incoming(row api.UserRecord) (c incoming, err error) {
	c.claims, c.disabled, c.aliases = row.Claims, row.Disabled, row.Aliases
	if id := strings.TrimSpace(string(row.ID)); id != "" && id != "null" && id != `""` {
		if id[0] == '{' || id[0] == '[' || id == "true" || id == "false" {
			return c, input.Invalid("id must be text or a number")
		}
		if _, there := c.claims[in.idClaim]; there {
			return c, input.Invalid("id becomes the claim %s, and the line has another claim of that name", edge.QuoteShort(in.idClaim))
		}
		c.id, c.claims = json.RawMessage(id), maps.Clone(c.claims)
		if c.claims == nil {
			c.claims = make(map[string]json.RawMessage, 1)
		}
		c.claims[in.idClaim] = c.id
	}
	var stored string
	if row.PasswordHash != "" {
		if stored, err = in.passwords.Import(row.HashScheme, row.PasswordHash, in.allowWeak); err != nil {
			return c, input.Invalid("%s", err)
		}
		c.fast = hash.NeedsWrap(stored)
		c.mayWait = c.fast && in.passwords.MayWrapLater(stored)
		c.fast = c.fast && !(c.mayWait && in.wrapLater)
	} else if row.HashScheme != "" {
		return c, input.Invalid("hash_scheme comes without a password_hash")
	}
	if c.user, err = in.newUser(row.Username, c.claims); err != nil {
		return c, err
	}
	if c.user.Aliases, err = newAliases(row.Aliases, c.user.Username); err != nil {
		return c, err
	}
	for _, key := range in.keys {
		c.digests = append(c.digests, importDigest(key, stored))
	}
	c.user.PasswordHash, c.user.Imported = stored, c.digests[0]
	if in.notMoved && stored == "" {
		c.user.Move = store.MovePending
	}
	c.user.Disabled = row.Disabled != nil && *row.Disabled
	return c, nil
}

// importDigest names a hash that was imported. It is keyed: without a salt of its own, the digest of a weak hash could
// be searched for the password.
func importDigest(key [32]byte, stored string) store.Imported {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(stored))
	return store.Imported(base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]))
}

// brought reports whether it was this line's hash that the user was imported with last.
func (c *incoming) brought(u store.User) bool {
	return u.Imported != "" && slices.Contains(c.digests, u.Imported.Digest()) ||
		c.user.PasswordHash != "" && c.user.PasswordHash == u.PasswordHash
}

// changesNothing reports whether the user is as the line has them. Without a hash nothing else shows that it is the
// same user.
func (c *incoming) changesNothing(u store.User) bool {
	events, err := c.apply(&u, "")
	return err == nil && len(events) == 0 && len(c.newNames(u)) == 0
}

// newNames are the aliases of the line that the user does not have.
func (c *incoming) newNames(u store.User) []string {
	return slices.DeleteFunc(slices.Clone(c.user.Aliases), u.HasName)
}

// takesPassword reports whether the line's hash takes the place of the user's. kept means that it does not because the
// user's password was set here.
func (c *incoming) takesPassword(u store.User) (takes, kept bool) {
	switch {
	case c.user.PasswordHash == "" || c.brought(u):
		return false, false
	case u.Imported.SetHere(), u.Imported == "" && u.PasswordHash != "",
		u.Move == store.MoveDone, u.Move == store.MoveStay: // the upstream has accepted the password since, or is asked each time
		return false, true
	}
	return true, false
}

// accept carries out a line. Each user is made or changed in one step of the store, and a step that is repeated finds
// what it did.
func (in *importing) accept(c *incoming, l *line) error {
	ctx := in.r.Context()
	for try := 0; ; try++ {
		u, err := in.present(ctx, l.username)
		switch {
		case err == nil:
			return in.meet(c, l, u)
		case !errors.Is(err, store.ErrNotFound):
			return err
		case in.dryRun:
			if err := in.aliasTaken(ctx, c.user, c.aliases); err != nil {
				return err
			}
			l.result = api.ImportCreated
			l.wraps, l.later = c.fast, c.mayWait
			return nil
		}
		u = c.user
		if c.fast {
			if u.PasswordHash, err = in.wrap(c.user.PasswordHash); err != nil {
				return err
			}
		}
		if err = in.store.CreateUser(ctx, u); err == nil {
			l.result, l.subject = api.ImportCreated, u.ID.String()
			l.wraps, l.later = c.fast, c.mayWait
			return nil
		}
		if !errors.Is(err, store.ErrExists) {
			return err
		}
		if taken := in.aliasTaken(ctx, c.user, c.aliases); taken != nil || try > 0 {
			return cmp.Or(taken, nameError(err)) // others race for the name
		}
		// The record of a creation that broke off may be there, without a name that leads to it: that id is of no use any more.
		_, _ = rand.Read(c.user.ID[:])
	}
}

// present returns the user who has the name, in any spelling.
func (in *importing) present(ctx context.Context, typed string) (store.User, error) {
	return account.Find(ctx, in.store, typed)
}

// meet decides about a line whose name is taken.
func (in *importing) meet(c *incoming, l *line, u store.User) error {
	l.subject = u.ID.String()
	if u.ID == c.user.ID { // it was made in a try before, whose answer was lost
		l.result = api.ImportCreated
		return nil
	}
	if other := u.Claims[in.idClaim]; c.id != nil && other != nil && string(other) != string(c.id) {
		return call.Conflict("the name is taken by a user of the old system with another id: %s is %s there and %s in this line", edge.QuoteShort(in.idClaim),
			edge.QuoteShort(string(other)), edge.QuoteShort(string(c.id)))
	}
	switch {
	case in.conflict == api.ConflictUpdate:
		return in.update(c, l, u)
	case c.brought(u) && (c.user.PasswordHash != "" || c.changesNothing(u)):
		l.result = api.ImportUnchanged
		return nil
	case in.conflict == api.ConflictSkip:
		l.result = api.ImportSkipped
		return nil
	}
	return call.Exists("a user of that name exists already, and is not as the line has them; on_conflict=update changes them, on_conflict=skip leaves them as they are")
}

// errUnchanged ends an update that would change nothing.
var errUnchanged = errors.New("nothing to change")

// update brings the user who is there up to the line. What the line does not name stays. A password that was set here
// stays as well.
func (in *importing) update(c *incoming, l *line, u store.User) error {
	if _, kept := c.takesPassword(u); kept {
		l.reason = "the password was set here and was kept"
	}
	final := c.user.PasswordHash
	takes, _ := c.takesPassword(u)
	if takes && c.fast && !in.dryRun {
		var err error
		if final, err = in.wrap(final); err != nil {
			return err
		}
	}
	added, err := in.addAliases(c, u)
	if err != nil {
		return err
	}
	var events []string
	change := func(u *store.User) error {
		var err error
		events, err = c.apply(u, final)
		if err == nil && len(events) == 0 {
			err = errUnchanged
		}
		return err
	}
	if in.dryRun {
		err = change(&u)
	} else {
		err = in.updateUser(u, &events, change)
	}
	switch {
	case errors.Is(err, errUnchanged) && added:
		l.result = api.ImportUpdated
	case errors.Is(err, errUnchanged):
		l.result = api.ImportUnchanged
	case err != nil:
		return Error(err)
	default:
		l.result = api.ImportUpdated
		l.wraps, l.later = takes && c.fast, takes && c.mayWait
	}
	return nil
}

// addAliases gives the user the aliases of the line besides those that are there, before anything else is changed: a line whose alias
// is another user's is refused before its claims are taken.
func (in *importing) addAliases(c *incoming, u store.User) (added bool, err error) {
	names := c.newNames(u)
	if len(names) == 0 {
		return false, nil
	}
	if len(u.Aliases)+len(names) > store.MaxAliases {
		return false, input.Invalid("a user has at most %d aliases, and with those of the line this one would have %d", store.MaxAliases, len(u.Aliases)+len(names))
	}
	if in.dryRun {
		err := in.aliasTaken(in.r.Context(), u, c.aliases)
		return err == nil, err
	}
	r := ofUser(in.r, u.Username)
	r.Subject, r.Username = u.ID.String(), u.Username
	event := func(name string) store.Event {
		return store.Event{Type: store.EventUserAddAlias, Detail: map[string]string{"alias": name, "by": api.ImportUsers.Name}}
	}
	if _, err := in.rename(r, u, event(names[0]), func(u *store.User) { u.Aliases = append(u.Aliases, names...) }); err != nil {
		return false, cmp.Or(in.aliasTaken(in.r.Context(), u, c.aliases), err)
	}
	for _, name := range names[1:] {
		in.rec.OK(r, event(name))
	}
	return true, nil
}

// updateUser changes the user and records it: the first of the events together with the change.
func (in *importing) updateUser(u store.User, events *[]string, change func(*store.User) error) error {
	r := ofUser(in.r, u.Username)
	r.Subject, r.Username = u.ID.String(), u.Username
	now := store.Millis(in.now())
	e := store.Event{At: now, Detail: map[string]string{"by": api.ImportUsers.Name}}
	u, err := in.store.UpdateUser(in.rec.WithEvent(r, &e), u.ID, func(u *store.User) error {
		if err := change(u); err != nil {
			return err
		}
		u.UpdatedAt, e.Type = now, (*events)[0]
		audit.SetRevision(&e, u.Revision+1, u.Epoch)
		return nil
	})
	if err != nil {
		return err
	}
	audit.SetRevision(&e, u.Revision, u.Epoch)
	in.rec.OK(r, e)
	for _, also := range (*events)[1:] {
		in.rec.OK(r, store.Event{Type: also, At: now, Detail: e.Detail})
	}
	return nil
}

// apply changes the user, and returns the types of the events that this is. It may run more than once.
func (c *incoming) apply(u *store.User, final string) (events []string, err error) {
	if takes, _ := c.takesPassword(*u); takes {
		if u.PasswordHash != "" {
			u.EndSessions() // the old password may be known to others
		}
		u.PasswordHash, u.Imported = final, c.digests[0]
		if u.Move == store.MovePending {
			u.Move = store.MoveNone
		}
		events = append(events, store.EventUserSetPassword)
	}
	if c.disabled != nil && *c.disabled != u.Disabled {
		u.Disabled = *c.disabled
		if u.Disabled {
			u.EndSessions()
			events = append(events, store.EventUserDisable)
		} else {
			events = append(events, store.EventUserEnable)
		}
	}
	merged, err := mergeClaims(u.Claims, c.claims)
	if err != nil {
		return nil, err
	}
	if !maps.EqualFunc(merged, u.Claims, func(a, b json.RawMessage) bool { return string(a) == string(b) }) {
		u.Claims = merged
		events = append(events, store.EventUserUpdate)
	}
	return events, nil
}

// wrap hashes a hash that is fast to guess once more.
func (in *importing) wrap(fast string) (string, error) {
	waiting, cancel := in.r.WhileCallerWaits()
	defer cancel()
	stored, err := in.passwords.Wrap(waiting, fast)
	if err != nil {
		return "", passwordError(err)
	}
	return stored, nil
}

// noUpstream warns of users who are marked for an upstream that is not there: it may be set up later.
const noUpstream = "this server has no users.upstream, so users without a password hash cannot log in until it has one"

// Import adds a user table with the password hashes of another system.
func (h *Bulk) Import(r *call.Request) (edge.Response, error) {
	in, err := newImporting(h.users, h.importKeys, r)
	if err != nil {
		return edge.Response{}, err
	}
	var detail map[string]string
	if in.wrapLater {
		detail = map[string]string{"wrap_later": "true"}
	}
	j := job{
		begin:    func() error { return h.rec.Begin(r, store.Event{Type: store.EventUserImportBegin, Detail: detail}) },
		end:      store.Event{Type: store.EventUserImport, Detail: detail},
		read:     in.read,
		distinct: true,
		brokeOff: "the body broke off after line %d (accepted users: %d): send all of it again, which changes nothing for those",
	}
	if in.notMoved && !h.upstream {
		j.report.Warnings = []string{noUpstream}
	}
	if j.report.DryRun = in.dryRun; in.dryRun {
		j.begin, j.end.Type = func() error { return nil }, ""
	} else {
		j.done = func() {
			h.sampleHashes()
			if in.wrapLater {
				h.wrapHashes()
			}
		}
	}
	if strings.Contains(r.Header.Get("Accept"), api.NDJSON) {
		header := http.Header{"Content-Type": {api.NDJSON}}
		return edge.Response{Header: header, Stream: func(w http.ResponseWriter) error { return h.streamImport(r, j, w) }}, nil
	}
	return h.run(r, j)
}

// streamImport is an import whose answer has a line for each line of the body, sent while the body comes in.
func (h *Bulk) streamImport(r *call.Request, j job, w http.ResponseWriter) error {
	conn := http.NewResponseController(r.Writer)
	_ = conn.EnableFullDuplex() // a writer that has no connection needs none
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	begun := false
	j.each = func(batch []*line) error {
		begun = true
		for _, l := range batch {
			if answer, ok := l.answer(); ok {
				if err := out.Encode(answer); err != nil {
					return err
				}
			}
		}
		return conn.Flush()
	}
	answer, err := h.run(r, j)
	if err != nil && !begun {
		return err
	}
	last := api.ImportLine{}
	if err != nil {
		refused := h.asError(err)
		last.Error = new(call.ErrorBody(refused, true).(api.Error))
	} else {
		report := answer.Body.(api.Report)
		report.Refused, report.Kept = nil, nil // each has its line
		last.Report = &report
	}
	return out.Encode(last)
}

// answer returns what became of the line; not ok: the store failed, and it is not known.
func (l *line) answer() (api.ImportLine, bool) {
	a := api.ImportLine{Line: l.number, Username: l.username, Subject: l.subject, Result: l.result, Reason: l.reason}
	if l.err != nil {
		var refused *edge.Error
		if !errors.As(l.err, &refused) || refused.Status >= http.StatusInternalServerError {
			return a, false
		}
		a.Subject, a.Result, a.Reason = "", api.ImportRefused, refused.Description
	}
	return a, true
}
