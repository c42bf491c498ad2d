package recovery

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/store"
)

// Trust is what the events of a source may do.
type Trust int

const (
	// Unsigned events only take away. Write access to a log file is enough to make one.
	Unsigned Trust = iota
	// Attested events come from the trail of a store of the same install, or from a log line whose MAC is right.
	Attested
)

// Backup describes the backup that is restored.
type Backup struct {
	AsOf   time.Time       // the moment that the backup shows: everything from before is in it
	Last   time.Time       // of the newest record
	Seq    uint64          // the highest of its events; 0: it has none
	Newest map[string]bool // marks (see Mark) of its newest events
	Late   []store.Event   // its own events that its records may not show yet
}

// History collects what is known to have happened since a backup.
type History struct {
	since  time.Time       // the backup shows this moment, or a later one
	last   time.Time       // of the newest record of the backup
	seq    uint64          // of the newest event of the backup
	now    time.Time       // of the restore; no event is later
	seen   map[string]bool // marks of events that the restored trail has or gets
	events []store.Event   // from after the backup, for the restored trail

	keys       map[string]bool // kids of revoked keys
	sessions   map[store.SessionID]bool
	reached    map[store.SessionID]uint32 // generations that sessions have reached
	tokens     map[string]time.Time       // ids of revoked access tokens, and when they were revoked
	until      map[string]time.Time       // those of the replaced store, and when they run out
	users      map[string]*changes        // by sub
	clients    map[string]*changes        // by client id
	assertions []store.UsedAssertion      // used ones that the replaced store remembers
	codes      []store.UsedCode           // likewise
	allEnded   time.Time                  // the last time that all sessions of all users were ended
	logins     int                        // since the backup
	imports    int                        // of users, since the backup
}

// changes are the times at which something happened last to a user or a client.
type changes struct {
	created, updated, deleted, disabled, enabled, ended, secret time.Time

	numbered  []numbered       // those of attested events that name the revision of the record
	epoch     uint32           // the highest that an event names
	rotations []secretRotation // of a client, in the order in which they were read
}

// numbered is a change whose place among the changes of its record is known.
type numbered struct {
	kind     func(*changes) *time.Time
	at       time.Time
	revision uint32 // of the record after it
}

// against returns the changes with times that compare with a record's as the changes do: those with a higher
// revision than the record's are later than it was updated, in the order of their revisions, and the others are
// not. The clocks that wrote the times may differ.
func (c *changes) against(updatedAt time.Time, revision uint32) *changes {
	if len(c.numbered) == 0 || revision == 0 {
		return c
	}
	ordered := *c
	for _, n := range c.numbered {
		if at := n.kind(&ordered); at.Equal(n.at) { // else a change without a revision is the latest
			*at = time.Time{}
		}
	}
	slices.SortFunc(c.numbered, func(a, b numbered) int { return cmp.Compare(a.revision, b.revision) })
	ordered.rotations = slices.Clone(c.rotations)
	last := updatedAt
	for _, n := range c.numbered {
		at := n.at
		if n.revision <= revision {
			if at.After(updatedAt) {
				at = updatedAt
			}
		} else {
			last = latest(last.Add(time.Millisecond), at)
			at = last
		}
		*n.kind(&ordered) = latest(*n.kind(&ordered), at)
		for i, r := range c.rotations {
			if r.revision == n.revision {
				ordered.rotations[i].at = at
			}
		}
	}
	return &ordered
}

// secretRotation is a client secret that was replaced or revoked.
type secretRotation struct {
	at     time.Time
	revoke bool // the secrets from before it died at once
	adds   bool // there is a new one, which is not known here

	dropped  string // the fingerprint of the one that was dropped, where the event has it
	revision uint32 // of the client after it; 0: the event is not attested, or does not name it
}

// NewHistory starts a history of what came after b. now is the moment of the restore.
func NewHistory(b Backup, now time.Time) *History {
	h := &History{since: b.Last, last: b.Last, seq: b.Seq, now: store.Millis(now), seen: maps.Clone(b.Newest), keys: map[string]bool{},
		sessions: map[store.SessionID]bool{}, reached: map[store.SessionID]uint32{}, tokens: map[string]time.Time{}, until: map[string]time.Time{},
		users: map[string]*changes{}, clients: map[string]*changes{}}
	if h.seen == nil {
		h.seen = map[string]bool{}
	}
	if b.AsOf.Before(b.Last) {
		h.since = b.AsOf
	}
	for _, e := range b.Late {
		h.take(h.bounded(e), Attested)
	}
	return h
}

// Mark identifies an event, wherever it is written down.
func Mark(e store.Event) string {
	mark := e.Type + " " + e.Outcome + " " + e.RequestID + " " + e.KeyID + " " + e.SessionID
	if e.RequestID == "" {
		mark += " " + e.Detail["version"] + " " + strconv.FormatInt(e.At.Unix(), 10)
	}
	return mark
}

// Note adds one event of a log. Events may come in any order and more than once. An unsigned event that has
// the mark of an attested one still takes away what it names: it must not hide the other.
func (h *History) Note(e store.Event, trust Trust) {
	// The clock may have been set back since the backup. Its newest events are known by their marks.
	later := e.At.After(h.last.Add(-clockDifference))
	e = h.bounded(e)
	h.keepOnce(e, trust, later)
	h.take(e, trust)
}

// noteStored adds one event of the replaced store, whose number shows better than its time whether it is from
// after the backup: the clocks of replicas differ.
func (h *History) noteStored(e store.Event) {
	later := e.Seq > h.seq
	e = h.bounded(e)
	h.keepOnce(e, Attested, later || e.At.After(h.last))
	h.take(e, Attested)
}

func (h *History) keepOnce(e store.Event, trust Trust, later bool) {
	mark := Mark(e)
	if !h.seen[mark] && later {
		h.keep(e, trust)
	}
	h.seen[mark] = true
}

// keep puts a new event on the restored trail and counts what is lost with the store.
func (h *History) keep(e store.Event, trust Trust) {
	switch {
	case (e.Type == store.EventLogin || e.Type == store.EventCode) && e.Outcome == store.OutcomeOK:
		h.logins++
	case e.Type == store.EventUserImport:
		h.imports++
	}
	e.Seq = 0
	if trust == Unsigned {
		e.Detail = maps.Clone(e.Detail)
		if e.Detail == nil {
			e.Detail = map[string]string{}
		}
		e.Detail["unsigned"] = "true"
	}
	h.events = append(h.events, e)
}

// bounded gives the event the precision of records, and no time after the restore.
func (h *History) bounded(e store.Event) store.Event {
	if e.At = store.Millis(e.At); e.At.After(h.now) {
		e.At = h.now
	}
	return e
}

// Reached notes that a session has had a refresh token of this generation. Lower ones are spent.
func (h *History) Reached(id store.SessionID, generation uint32) {
	h.reached[id] = max(h.reached[id], generation)
}

// RevokedKeys returns the kids of keys that are known to have been revoked, sorted.
func (h *History) RevokedKeys() []string { return slices.Sorted(maps.Keys(h.keys)) }

// NoteRevokedKey adds a key that a keyring has as revoked.
func (h *History) NoteRevokedKey(kid string) { h.keys[kid] = true }

// AddEvent puts an event of the restore itself on the restored trail.
func (h *History) AddEvent(e store.Event) { h.events = append(h.events, e) }

// newEvents returns the events from after the backup, oldest first.
func (h *History) newEvents() []store.Event {
	slices.SortStableFunc(h.events, func(a, b store.Event) int { return a.At.Compare(b.At) })
	return h.events
}

// take keeps what the event took away, or gave back.
func (h *History) take(e store.Event, trust Trust) {
	switch e.Type {
	case store.EventKeyRevoked, store.EventKeysRevoke:
		if e.KeyID != "" {
			h.keys[e.KeyID] = true
		}
	case store.EventRevoke, store.EventSessionRevoke, store.EventRefresh, store.EventRefreshReuse, store.EventCodeReuse:
		h.takeSession(e)
	case store.EventSessionRevokeEverybody:
		h.allEnded = latest(h.allEnded, e.At)
	default:
		h.takeChange(e, trust)
	}
}

// takeSession notes what a revocation, an operator, a client that lost a right or a reuse has ended.
func (h *History) takeSession(e store.Event) {
	switch {
	case e.Type == store.EventRefresh && e.Outcome != store.Revoked.String(), !mayHaveHappened(e):
		return // nothing was ended
	case e.Detail[store.DetailJTI] != "":
		jti := e.Detail[store.DetailJTI]
		h.tokens[jti] = latest(h.tokens[jti], e.At)
		return
	}
	if id, err := store.ParseSessionID(e.SessionID); err == nil {
		h.sessions[id] = true
	}
}

// changeKinds are the types of events about a user or a client, and where their time is kept.
var changeKinds = map[string]func(*changes) *time.Time{
	store.EventUserCreate:         func(c *changes) *time.Time { return &c.created },
	store.EventUserUpdate:         func(c *changes) *time.Time { return &c.updated },
	store.EventUserRename:         func(c *changes) *time.Time { return &c.updated },
	store.EventUserAddAlias:       func(c *changes) *time.Time { return &c.updated },
	store.EventUserRemoveAlias:    func(c *changes) *time.Time { return &c.updated },
	store.EventUserMove:           func(c *changes) *time.Time { return &c.updated },
	store.EventUserDelete:         func(c *changes) *time.Time { return &c.deleted },
	store.EventUserDisable:        func(c *changes) *time.Time { return &c.disabled },
	store.EventUserEnable:         func(c *changes) *time.Time { return &c.enabled },
	store.EventUserSetPassword:    func(c *changes) *time.Time { return &c.secret },
	store.EventSessionRevokeAll:   func(c *changes) *time.Time { return &c.ended },
	store.EventClientCreate:       func(c *changes) *time.Time { return &c.created },
	store.EventClientUpdate:       func(c *changes) *time.Time { return &c.updated },
	store.EventClientDelete:       func(c *changes) *time.Time { return &c.deleted },
	store.EventClientDisable:      func(c *changes) *time.Time { return &c.disabled },
	store.EventClientEnable:       func(c *changes) *time.Time { return &c.enabled },
	store.EventClientRotateSecret: func(c *changes) *time.Time { return &c.secret },
	store.EventClientRevokeSecret: func(c *changes) *time.Time { return &c.secret },
}

// gives are the types of events that give something back. Only an attested event that was carried out counts.
var gives = map[string]bool{store.EventUserEnable: true, store.EventClientEnable: true}

// mayHaveHappened reports whether the event is of a change that was made, or whose outcome was never known.
func mayHaveHappened(e store.Event) bool {
	return e.Outcome != store.OutcomeRefused && e.Outcome != store.OutcomeThrottled && e.Outcome != store.OutcomeUnavailable && e.Outcome != store.OutcomeMore
}

func (h *History) takeChange(e store.Event, trust Trust) {
	all, id := h.users, e.Subject
	if strings.HasPrefix(e.Type, "client.") {
		all, id = h.clients, e.ClientID
	}
	kind := changeKinds[e.Type]
	if kind == nil || id == "" || !mayHaveHappened(e) || gives[e.Type] && (trust == Unsigned || e.Outcome != store.OutcomeOK) {
		return
	}
	c := all[id]
	if c == nil {
		c = &changes{}
		all[id] = c
	}
	last := kind(c)
	*last = latest(*last, e.At)
	revision, err := strconv.ParseUint(e.Detail[store.DetailRevision], 10, 32)
	if err == nil && trust == Attested {
		c.numbered = append(c.numbered, numbered{kind, e.At, uint32(revision)})
	} else {
		revision = 0
	}
	if epoch, err := strconv.ParseUint(e.Detail[store.DetailEpoch], 10, 24); err == nil && trust == Attested {
		c.epoch = max(c.epoch, uint32(epoch))
	}
	switch e.Type {
	case store.EventClientRotateSecret:
		c.rotated(secretRotation{e.At, e.Detail["revoke_old"] == "true", true, e.Detail[store.DetailDropped], uint32(revision)})
	case store.EventClientRevokeSecret:
		c.rotated(secretRotation{e.At, true, false, e.Detail[store.DetailDropped], uint32(revision)})
	}
}

// rotated adds a rotation, unless another source has named it before.
func (c *changes) rotated(r secretRotation) {
	if !slices.Contains(c.rotations, r) {
		c.rotations = append(c.rotations, r)
	}
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// notBefore returns the not-before that ends what began up to each of the times. It is never lower than was.
func notBefore(was time.Time, times ...time.Time) time.Time {
	if last := latest(times...); !last.IsZero() {
		return latest(was, store.Millis(last).Add(time.Millisecond))
	}
	return was
}
