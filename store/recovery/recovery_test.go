package recovery_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/recovery"
)

var backupDay = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// at is a moment so many minutes after the backup. The restore is at 30.
func at(minutes int) time.Time { return backupDay.Add(time.Duration(minutes) * time.Minute) }

const justAfter = time.Millisecond

func newHistory() *recovery.History {
	return recovery.NewHistory(recovery.Backup{AsOf: backupDay, Last: backupDay}, at(30))
}

func note(h *recovery.History, trust recovery.Trust, events ...store.Event) {
	for i, e := range events {
		if e.Outcome == "" {
			e.Outcome = "ok"
		}
		if e.RequestID == "" {
			e.RequestID = fmt.Sprint(i)
		}
		h.Note(e, trust)
	}
}

// lay returns the records as they are after the restore. r is the replaced store, or nil.
func lay(t *testing.T, h *recovery.History, r *recovery.Replaced, records ...store.Record) (*recovery.Overlay, []store.Record) {
	t.Helper()
	o := recovery.NewOverlay(t.Context(), h, r, time.Hour)
	var left []store.Record
	for record, err := range o.Records(all(records)) {
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, record)
	}
	return o, left
}

func all(records []store.Record) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range records {
			if !yield(copyOf(r), nil) {
				return
			}
		}
	}
}

func copyOf(r store.Record) store.Record {
	if r.User != nil {
		u := *r.User
		r.User = &u
	}
	if r.Client != nil {
		c := *r.Client
		r.Client = &c
	}
	if r.Session != nil {
		s := *r.Session
		r.Session = &s
	}
	return r
}

// memory is a replaced store.
type memory struct {
	manifest store.Manifest
	records  []store.Record
	damaged  error // what reading a single record answers
}

func (m *memory) Manifest(context.Context) (store.Manifest, error) { return m.manifest, nil }

func (m *memory) Export(_ context.Context, visit func(store.Record) error) error {
	for _, r := range m.records {
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) find(is func(store.Record) bool) (store.Record, error) {
	if m.damaged != nil {
		return store.Record{}, m.damaged
	}
	if i := slices.IndexFunc(m.records, is); i >= 0 {
		return m.records[i], nil
	}
	return store.Record{}, store.ErrNotFound
}

func (m *memory) User(_ context.Context, id store.UserID) (store.User, error) {
	r, err := m.find(func(r store.Record) bool { return r.User != nil && r.User.ID == id })
	if err != nil {
		return store.User{}, err
	}
	return *r.User, nil
}

func (m *memory) Client(_ context.Context, id string) (store.Client, error) {
	r, err := m.find(func(r store.Record) bool { return r.Client != nil && r.Client.ID == id })
	if err != nil {
		return store.Client{}, err
	}
	return *r.Client, nil
}

func (m *memory) TokenState(_ context.Context, ref store.TokenRef) (store.TokenState, error) {
	r, err := m.find(func(r store.Record) bool { return r.Session != nil && r.Session.ID == ref.SessionID })
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.TokenState{}, nil
	case err != nil:
		return store.TokenState{}, err
	}
	return store.TokenState{Live: true, Session: *r.Session}, nil
}

var install = store.Manifest{Install: store.Install{ID: "one"}, KeyringVersion: 5}

// newest is a record that makes a replaced store newer than the backup.
var newest = store.Record{Event: &store.Event{Type: "login", Outcome: "refused", At: at(5), RequestID: "newest"}}

func replaced(t *testing.T, h *recovery.History, records ...store.Record) *recovery.Replaced {
	t.Helper()
	return read(t, h, &memory{manifest: install, records: append(records, newest)})
}

func read(t *testing.T, h *recovery.History, m *memory) *recovery.Replaced {
	t.Helper()
	r, err := recovery.ReadReplaced(t.Context(), m, h, install, backupDay)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	ada    = store.UserID{1}
	login1 = store.SessionID{1}
)

func user(change func(*store.User)) store.Record {
	u := store.User{ID: ada, Username: "ada", PasswordHash: "hash", CreatedAt: at(-1000), UpdatedAt: at(-500)}
	if change != nil {
		change(&u)
	}
	return store.Record{User: &u}
}

func client(id string, change func(*store.Client)) store.Record {
	c := store.Client{ID: id, CreatedAt: at(-1000), UpdatedAt: at(-1000), Grants: []string{"password", "refresh_token"}, Scopes: []string{"read", "write"},
		Secrets: []store.Secret{{Hash: []byte("newer")}, {Hash: []byte("older")}}}
	if change != nil {
		change(&c)
	}
	return store.Record{Client: &c}
}

func session(change func(*store.Session)) store.Record {
	s := store.Session{ID: login1, UserID: ada, ClientID: "web", Generation: 5, StartedAt: at(-60), RotatedAt: at(-60)}
	if change != nil {
		change(&s)
	}
	return store.Record{Session: &s}
}

func onlyUser(records []store.Record) (u *store.User, sessions int) {
	for _, r := range records {
		if r.User != nil {
			u = r.User
		}
		if r.Session != nil {
			sessions++
		}
	}
	return u, sessions
}

func TestUsersByEvents(t *testing.T) {
	sid := login1.String()
	for _, tc := range []struct {
		name     string
		backup   func(*store.User)
		events   []store.Event
		want     store.User // Disabled, PasswordHash and NotBefore of it
		gone     bool
		sessions int
	}{
		{"nothing", nil, nil, store.User{PasswordHash: "hash"}, false, 1},
		{"disabled since", nil, []store.Event{{Type: "user.disable", At: at(1)}},
			store.User{PasswordHash: "hash", Disabled: true, NotBefore: at(1).Add(justAfter)}, false, 0},
		{"disabled and enabled since", nil, []store.Event{{Type: "user.disable", At: at(1)}, {Type: "user.enable", At: at(2)}},
			store.User{PasswordHash: "hash", NotBefore: at(1).Add(justAfter)}, false, 0},
		{"enabled since", func(u *store.User) { u.Disabled = true }, []store.Event{{Type: "user.enable", At: at(2)}}, store.User{PasswordHash: "hash"}, false, 1},
		{"disabled long before, and enabled in the backup", func(u *store.User) { u.UpdatedAt = at(-100) }, []store.Event{{Type: "user.disable", At: at(-200)}},
			store.User{PasswordHash: "hash", NotBefore: at(-200).Add(justAfter)}, false, 1},
		{"a new password since", nil, []store.Event{{Type: "user.set_password", At: at(1)}},
			store.User{NotBefore: at(1).Add(justAfter)}, false, 0},
		{"a new password that the backup has", func(u *store.User) { u.UpdatedAt = at(-100) }, []store.Event{{Type: "user.set_password", At: at(-100).Add(-3 * time.Millisecond)}},
			store.User{PasswordHash: "hash", NotBefore: at(-100).Add(-2 * time.Millisecond)}, false, 1},
		{"a new password since of a user who has not moved yet", func(u *store.User) { u.Move = store.MovePending }, []store.Event{{Type: "user.set_password", At: at(1)}},
			store.User{NotBefore: at(1).Add(justAfter)}, false, 0},
		{"moved since", func(u *store.User) { u.Move = store.MovePending }, []store.Event{{Type: "user.move", At: at(1)}},
			store.User{PasswordHash: "hash", Move: store.MovePending}, false, 1},
		{"signed out since", nil, []store.Event{{Type: "session.revoke_all", At: at(1)}},
			store.User{PasswordHash: "hash", NotBefore: at(1).Add(justAfter)}, false, 0},
		{"deleted since", nil, []store.Event{{Type: "user.delete", At: at(1)}}, store.User{}, true, 0},
		{"one session ended since", nil, []store.Event{{Type: "revoke", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"one session ended by an operator", nil, []store.Event{{Type: "session.revoke", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a stolen refresh token", nil, []store.Event{{Type: "refresh_reuse", Outcome: "reuse", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a client that lost a right", nil, []store.Event{{Type: "refresh", Outcome: "revoked", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a refresh that healed", nil, []store.Event{{Type: "refresh", Outcome: "healed", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 1},
		{"a revocation that was refused", nil, []store.Event{{Type: "revoke", Outcome: "refused", SessionID: sid, At: at(1)}}, store.User{PasswordHash: "hash"}, false, 1},
		{"dated in the year 9998", nil, []store.Event{{Type: "user.disable", At: at(1).AddDate(7972, 0, 0)}, {Type: "user.enable", At: at(30).AddDate(7972, 0, 0)}},
			store.User{PasswordHash: "hash", Disabled: true, NotBefore: at(30).Add(justAfter)}, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := range tc.events {
				tc.events[i].Subject = ada.String()
			}
			h := newHistory()
			note(h, recovery.Attested, tc.events...)
			_, left := lay(t, h, nil, user(tc.backup), session(nil))
			got, sessions := onlyUser(left)
			if sessions != tc.sessions || (got == nil) != tc.gone {
				t.Fatalf("got user %v and %d sessions, want gone %v and %d", got, sessions, tc.gone, tc.sessions)
			}
			if got != nil && got.Move != tc.want.Move {
				t.Errorf("got move %s, want %s", got.Move, tc.want.Move)
			}
			if got != nil && (got.Disabled != tc.want.Disabled || got.PasswordHash != tc.want.PasswordHash || !got.NotBefore.Equal(tc.want.NotBefore)) {
				t.Errorf("got disabled %v, hash %q, not before %v; want %v, %q, %v", got.Disabled, got.PasswordHash, got.NotBefore, tc.want.Disabled, tc.want.PasswordHash, tc.want.NotBefore)
			}
		})
	}
}

// A clock that was years ahead has written the records of the backup: what was taken away since stays so.
func TestRecordsFromTheFuture(t *testing.T) {
	future := at(30).AddDate(7972, 0, 0)
	for name, created := range map[string]time.Time{"updated": at(-1000), "made": future} {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			note(h, recovery.Unsigned, store.Event{Type: store.EventUserSetPassword, Subject: ada.String(), At: at(1)}, store.Event{Type: store.EventUserDisable, Subject: ada.String(), At: at(2)},
				store.Event{Type: store.EventClientDisable, ClientID: "web", At: at(1)},
				store.Event{Type: store.EventClientRotateSecret, ClientID: "web", At: at(1), Detail: map[string]string{"revoke_old": "true"}})
			_, left := lay(t, h, nil, client("web", func(c *store.Client) { c.CreatedAt, c.UpdatedAt = created, future }),
				user(func(u *store.User) { u.CreatedAt, u.UpdatedAt = created, future }))
			u, _ := onlyUser(left)
			if c := left[0].Client; !c.Disabled || len(c.Secrets) > 0 || c.UpdatedAt.After(at(30)) {
				t.Errorf("client: got %+v", c)
			}
			if !u.Disabled || u.PasswordHash != "" || u.UpdatedAt.After(at(30)) {
				t.Errorf("user: got %+v", u)
			}
		})
	}
}

// Sessions of an archive that began in a later epoch than their user or client has in it: they are dead, and would
// live again at the next sign-out.
func TestSessionsOfLaterEpochs(t *testing.T) {
	for name, later := range map[string]func(*store.Session){
		"of the user":   func(s *store.Session) { s.UserEpoch = 3 },
		"of the client": func(s *store.Session) { s.ClientEpoch = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			records := []store.Record{client("web", nil), user(func(u *store.User) { u.Epoch = 2 }), session(func(s *store.Session) { s.ID, s.UserEpoch = store.SessionID{2}, 2 }),
				session(func(s *store.Session) { s.UserEpoch = 2; later(s) })}
			o, left := lay(t, newHistory(), nil, records...)
			if _, sessions := onlyUser(left); sessions != 1 || o.Preserved.Sessions != 1 {
				t.Errorf("restored: got %d sessions, %d left out, want one of each", sessions, o.Preserved.Sessions)
			}
			sessions, dropped := 0, 0
			for r, err := range store.DropLaterEpochs(all(records), func(store.Session) { dropped++ }) {
				if err != nil {
					t.Fatal(err)
				}
				if r.Session != nil {
					sessions++
				}
			}
			if sessions != 1 || dropped != 1 {
				t.Errorf("imported: got %d sessions, %d left out, want one of each", sessions, dropped)
			}
		})
	}
}

// Rotations of secrets by clocks that are behind, or ahead, of the one that wrote the client last.
func TestRevisionsOrderRotations(t *testing.T) {
	numbered := func(kind string, at time.Time, revision int, revokeOld bool) store.Event {
		return store.Event{Type: kind, ClientID: "web", At: at, Detail: map[string]string{store.DetailRevision: fmt.Sprint(revision), "revoke_old": fmt.Sprint(revokeOld)}}
	}
	const rotate, revoke = store.EventClientRotateSecret, store.EventClientRevokeSecret
	for _, tc := range []struct {
		name   string
		events []store.Event
		want   string
	}{
		{"rotated after the backup by a clock that is behind", []store.Event{numbered(rotate, at(-11), 8, false)}, "newer"},
		{"replaced after the backup by a clock that is behind", []store.Event{numbered(rotate, at(-11), 8, true)}, ""},
		{"the older revoked after the backup by a clock that is behind", []store.Event{numbered(revoke, at(-11), 8, false)}, "newer"},
		{"rotated before the backup by a clock that is ahead", []store.Event{numbered(rotate, at(-9), 7, false)}, "newer older"},
		{"the older revoked, then rotated by a clock that is behind", []store.Event{numbered(revoke, at(2), 8, false), numbered(rotate, at(1), 9, false)}, "newer"},
		{"rotated, then the older revoked by a clock that is behind", []store.Event{numbered(rotate, at(2), 8, false), numbered(revoke, at(1), 9, false)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory()
			note(h, recovery.Attested, tc.events...)
			_, left := lay(t, h, nil, client("web", func(c *store.Client) { c.UpdatedAt, c.Revision = at(-10), 7 }))
			if got := secretsOf(*left[0].Client); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// Revisions order changes that clocks do not: those of replicas may differ by the skew of the timetable.
func TestRevisionsOrderEvents(t *testing.T) {
	numbered := func(kind string, at time.Time, revision int) store.Event {
		return store.Event{Type: kind, Subject: ada.String(), At: at, Detail: map[string]string{store.DetailRevision: fmt.Sprint(revision)}}
	}
	record := func(u *store.User) { u.UpdatedAt, u.Revision = at(-10), 7 }
	for _, tc := range []struct {
		name     string
		events   []store.Event
		disabled bool
	}{
		{"disabled after the backup by a clock that is behind", []store.Event{numbered(store.EventUserDisable, at(-11), 8)}, true},
		{"disabled before the backup by a clock that is ahead", []store.Event{numbered(store.EventUserDisable, at(-9), 6)}, false},
		{"disabled, then enabled by a clock that is behind", []store.Event{numbered(store.EventUserDisable, at(2), 8), numbered(store.EventUserEnable, at(1), 9)}, false},
		{"enabled, then disabled by a clock that is behind", []store.Event{numbered(store.EventUserEnable, at(2), 8), numbered(store.EventUserDisable, at(1), 9)}, true},
		{"disabled by an event without a revision", []store.Event{numbered(store.EventUserEnable, at(1), 8), {Type: store.EventUserDisable, Subject: ada.String(), At: at(2)}}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory()
			note(h, recovery.Attested, tc.events...)
			if u, _ := onlyUser(second(lay(t, h, nil, user(record)))); u.Disabled != tc.disabled {
				t.Errorf("got disabled %v, want %v", u.Disabled, tc.disabled)
			}
		})
	}
}

// Lines that nothing vouches for take away as any other, and never give back, whatever attested event they imitate.
func TestUnsignedEventsOnlyTakeAway(t *testing.T) {
	sub := ada.String()
	t.Run("enable", func(t *testing.T) {
		h := newHistory()
		note(h, recovery.Unsigned, store.Event{Type: "user.enable", Subject: sub, At: at(3)}, store.Event{Type: "client.enable", ClientID: "web", At: at(3)})
		_, left := lay(t, h, nil, client("web", func(c *store.Client) { c.Disabled = true }), user(func(u *store.User) { u.Disabled = true }))
		if u, _ := onlyUser(left); !u.Disabled || !left[0].Client.Disabled {
			t.Errorf("a forged line has enabled: user %v, client %v", !u.Disabled, !left[0].Client.Disabled)
		}
	})
	t.Run("disable", func(t *testing.T) {
		h := newHistory()
		note(h, recovery.Unsigned, store.Event{Type: "user.disable", Subject: sub, At: at(3)})
		if u, _ := onlyUser(second(lay(t, h, nil, user(nil)))); !u.Disabled {
			t.Error("the line was ignored")
		}
	})
	t.Run("one that has the mark of a revocation", func(t *testing.T) {
		h := newHistory()
		note(h, recovery.Unsigned, store.Event{Type: "user.disable", RequestID: "r", Subject: store.UserID{9}.String(), At: at(2)})
		note(h, recovery.Attested, store.Event{Type: "user.disable", RequestID: "r", Subject: sub, At: at(2)})
		if u, _ := onlyUser(second(lay(t, h, nil, user(nil)))); !u.Disabled {
			t.Error("the forged line hides the revocation")
		}
	})
	t.Run("on the trail they are marked", func(t *testing.T) {
		h := newHistory()
		note(h, recovery.Unsigned, store.Event{Type: "login", At: at(2)})
		left := second(lay(t, h, nil))
		if len(left) != 2 || left[1].Event.Detail["unsigned"] != "true" {
			t.Errorf("got %v", left)
		}
	})
}

func second(_ *recovery.Overlay, records []store.Record) []store.Record { return records }

func TestClientsByEvents(t *testing.T) {
	h := newHistory()
	note(h, recovery.Attested,
		store.Event{Type: "client.disable", ClientID: "disabled", At: at(1)},
		store.Event{Type: "client.delete", ClientID: "deleted", At: at(1)},
		store.Event{Type: "client.rotate_secret", ClientID: "rotated", At: at(1)},
		store.Event{Type: "client.update", ClientID: "rotated", At: at(1)},
		store.Event{Type: "client.create", ClientID: "late", At: at(1)},
		store.Event{Type: "client.create", ClientID: "brief", At: at(1)}, store.Event{Type: "client.delete", ClientID: "brief", At: at(2)},
		store.Event{Type: "session.revoke_everybody", At: at(3)},
		store.Event{Type: "login", ClientID: "kept", Subject: store.UserID{9}.String(), At: at(4)},
		store.Event{Type: "login", Outcome: "refused", ClientID: "kept", At: at(4)},
	)
	o, left := lay(t, h, nil, client("kept", nil), client("disabled", nil), client("deleted", nil), client("rotated", nil))
	var ids []string
	events := 0
	for _, r := range left {
		if r.Event != nil {
			events++
		}
		if c := r.Client; c != nil {
			ids = append(ids, c.ID)
			if c.Disabled != (c.ID == "disabled") {
				t.Errorf("%s: disabled %v", c.ID, c.Disabled)
			}
			if want := at(3).Add(justAfter); !c.NotBefore.Equal(want) {
				t.Errorf("%s: not before %v, want %v", c.ID, c.NotBefore, want)
			}
		}
	}
	if got := strings.Join(ids, " "); got != "kept disabled rotated" {
		t.Errorf("clients: got %s", got)
	}
	got := o.Lost(func(string) string { return "" })
	want := recovery.Lost{Logins: 1, Clients: []string{"late"}, ChangedClients: []string{"rotated"}, Secrets: []string{"rotated"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("lost: got %+v, want %+v", got, want)
	}
	if events != 10 {
		t.Errorf("got %d events from after the backup, want all 10", events)
	}
}

// A secret that an event names as replaced or revoked does not live again.
func TestClientSecretsByEvents(t *testing.T) {
	rotate := func(minute int) store.Event {
		return store.Event{Type: "client.rotate_secret", ClientID: "web", At: at(minute)}
	}
	replace := func(minute int) store.Event {
		e := rotate(minute)
		e.Detail = map[string]string{"revoke_old": "true"}
		return e
	}
	revoke := func(minute int) store.Event {
		return store.Event{Type: "client.revoke_secret", ClientID: "web", At: at(minute)}
	}
	for _, tc := range []struct {
		name   string
		events []store.Event
		want   string
	}{
		{"nothing", nil, "newer older"},
		{"rotated before the backup", []store.Event{rotate(-1001)}, "newer older"},
		{"rotated once", []store.Event{rotate(1)}, "newer"},
		{"rotated twice", []store.Event{rotate(1), rotate(2)}, ""},
		{"rotated with the old ones revoked", []store.Event{replace(1)}, ""},
		{"the older revoked", []store.Event{revoke(1)}, "newer"},
		{"rotated, then the older revoked", []store.Event{rotate(1), revoke(2)}, ""},
		{"the older revoked, then rotated", []store.Event{revoke(1), rotate(2)}, "newer"},
		{"the same event from two sources", []store.Event{rotate(1), rotate(1)}, "newer"},
		{"told in another order", []store.Event{rotate(2), revoke(1)}, "newer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory()
			note(h, recovery.Unsigned, tc.events...)
			_, left := lay(t, h, nil, client("web", nil))
			if got := secretsOf(*left[0].Client); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func secretsOf(c store.Client) string {
	var hashes []string
	for _, s := range c.Secrets {
		hashes = append(hashes, string(s.Hash))
	}
	return strings.Join(hashes, " ")
}

func TestTokensAndKeysByEvents(t *testing.T) {
	h := newHistory()
	note(h, recovery.Attested,
		store.Event{Type: "revoke", Detail: map[string]string{"jti": "young"}, At: at(1)},
		store.Event{Type: "revoke", Detail: map[string]string{"jti": "over"}, At: at(-40)},
		store.Event{Type: "key.revoked", KeyID: "k1", At: at(1)},
		store.Event{Type: "keys.revoke", KeyID: "k1", At: at(1)},
		store.Event{Type: "keys.revoke", KeyID: "k2", At: at(1)})
	o, left := lay(t, h, nil)
	var tokens []string
	for _, r := range left {
		if r.RevokedToken != nil {
			tokens = append(tokens, r.RevokedToken.JTI)
		}
	}
	if got := strings.Join(tokens, " "); got != "young" || o.Preserved.Tokens != 1 {
		t.Errorf("tokens: got %s, %d", got, o.Preserved.Tokens)
	}
	if got := h.RevokedKeys(); !slices.Equal(got, []string{"k1", "k2"}) {
		t.Errorf("keys: got %v", got)
	}
}

// The state of the replaced store counts when its trail no longer has the event: anybody can push events off a trail.
func TestStateCountsWithoutEvents(t *testing.T) {
	claims := func(text string) map[string]json.RawMessage {
		var c map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tc := range []struct {
		name   string
		backup []store.Record
		now    []store.Record
		check  func(t *testing.T, o *recovery.Overlay, left []store.Record)
	}{
		{"a user is disabled", []store.Record{user(nil)}, []store.Record{user(func(u *store.User) { u.Disabled = true })},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				if u, _ := onlyUser(left); !u.Disabled || !slices.Equal(o.Preserved.DisabledUsers, []string{"ada"}) {
					t.Errorf("got %+v, %+v", u, o.Preserved)
				}
			}},
		{"a user is enabled", []store.Record{user(func(u *store.User) { u.Disabled = true })}, []store.Record{user(nil)},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if u, _ := onlyUser(left); u.Disabled {
					t.Error("still disabled")
				}
			}},
		{"a user is deleted", []store.Record{user(nil), session(nil)}, nil,
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if u, sessions := onlyUser(left); u != nil || sessions != 0 {
					t.Errorf("got %v, %d sessions", u, sessions)
				}
			}},
		{"a password is changed", []store.Record{user(nil)}, []store.Record{user(func(u *store.User) { u.PasswordHash, u.Epoch = "new", 1 })},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				if u, _ := onlyUser(left); u.PasswordHash != "new" || !slices.Equal(o.Preserved.NewPasswords, []string{"ada"}) {
					t.Errorf("got %+v, %+v", u, o.Preserved)
				}
			}},
		{"a password is taken away", []store.Record{user(nil)}, []store.Record{user(func(u *store.User) { u.PasswordHash = "" })},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if u, _ := onlyUser(left); u.PasswordHash != "" {
					t.Errorf("got %q", u.PasswordHash)
				}
			}},
		{"all sessions of a user were ended", []store.Record{user(nil), session(nil)},
			[]store.Record{user(func(u *store.User) { u.Epoch = 3 }), session(func(s *store.Session) { s.ID, s.UserEpoch = store.SessionID{2}, 3 })},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if u, sessions := onlyUser(left); u.Epoch != 3 || sessions != 0 {
					t.Errorf("got epoch %d and %d sessions", u.Epoch, sessions)
				}
			}},
		{"one session was ended", []store.Record{client("web", nil), user(nil), session(nil)}, []store.Record{client("web", nil), user(nil)},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				if _, sessions := onlyUser(left); sessions != 0 || o.Preserved.Sessions != 1 {
					t.Errorf("got %d sessions, %d ended", sessions, o.Preserved.Sessions)
				}
			}},
		{"a session has gone on", []store.Record{client("web", nil), user(nil), session(nil)},
			[]store.Record{client("web", nil), user(nil), session(func(s *store.Session) { s.Generation, s.RotatedAt = 9, at(4) })},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				for _, r := range left {
					if r.Session != nil && (r.Session.Generation != 9 || !r.Session.RotatedAt.Equal(at(4))) {
						t.Errorf("got %+v", r.Session)
					}
				}
				if o.Preserved.Generations != 1 {
					t.Errorf("got %+v", o.Preserved)
				}
			}},
		{"a role is taken", []store.Record{user(func(u *store.User) { u.Claims = claims(`{"roles":["admin","staff"],"plan":"gold","team":"a"}`) })},
			[]store.Record{user(func(u *store.User) { u.Claims = claims(`{"roles":["staff","boss"],"plan":"silver","extra":1}`) })},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				u, _ := onlyUser(left)
				if got, _ := json.Marshal(u.Claims); string(got) != `{"plan":"silver","roles":["staff"]}` || len(o.Preserved.NarrowedUsers) != 1 {
					t.Errorf("got %s, %+v", got, o.Preserved)
				}
			}},
		{"a role is given", []store.Record{user(func(u *store.User) { u.Claims = claims(`{"roles":["staff"]}`) })},
			[]store.Record{user(func(u *store.User) { u.Claims = claims(`{"roles":["admin","staff"]}`) })},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				u, _ := onlyUser(left)
				if got, _ := json.Marshal(u.Claims); string(got) != `{"roles":["staff"]}` || len(o.Preserved.NarrowedUsers) != 0 {
					t.Errorf("got %s, %+v", got, o.Preserved)
				}
			}},
		{"a client is disabled, its scope and grant are taken and a secret is revoked", []store.Record{client("web", nil)},
			[]store.Record{client("web", func(c *store.Client) {
				c.Disabled, c.Scopes, c.Grants, c.Secrets, c.Epoch = true, []string{"read", "new"}, []string{"password"}, []store.Secret{{Hash: []byte("newest")}, {Hash: []byte("newer")}}, 2
			})},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				c := left[0].Client
				if !c.Disabled || !slices.Equal(c.Scopes, []string{"read"}) || !slices.Equal(c.Grants, []string{"password"}) || secretsOf(*c) != "newest newer" || c.Epoch != 2 {
					t.Errorf("got %+v", c)
				}
				if p := o.Preserved; len(p.DisabledClients)+len(p.NarrowedClients)+len(p.RevokedSecrets)+len(p.NewSecrets) != 4 {
					t.Errorf("got %+v", p)
				}
			}},
		{"an audience is narrowed", []store.Record{client("any", nil), client("two", func(c *store.Client) { c.Audiences = []string{"a", "b"} }), client("other", func(c *store.Client) { c.Audiences = []string{"a"} })},
			[]store.Record{client("any", func(c *store.Client) { c.Audiences = []string{"a"} }), client("two", func(c *store.Client) { c.Audiences = []string{"b", "c"} }), client("other", func(c *store.Client) { c.Audiences = []string{"c"} })},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if got := fmt.Sprint(left[0].Client.Audiences, left[1].Client.Audiences, left[2].Client.Audiences); got != "[a] [b] [c]" {
					t.Errorf("got %s", got)
				}
			}},
		{"redirect URIs are taken", []store.Record{client("web", func(c *store.Client) {
			c.RedirectURIs, c.PostLogoutURIs, c.BackchannelLogoutURI = []string{"https://old.example/", "https://a.example/"}, []string{"https://old.example/"}, "https://old.example/logout"
		})},
			[]store.Record{client("web", func(c *store.Client) {
				c.RedirectURIs, c.RequirePAR, c.BackchannelLogoutURI = []string{"https://a.example/", "https://new.example/"}, true, "https://new.example/logout"
			})},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				c := left[0].Client
				if got := fmt.Sprintf("%v %v %s %v %v", c.RedirectURIs, c.PostLogoutURIs, c.BackchannelLogoutURI, c.RequirePAR, o.Preserved.NarrowedClients); got != "[https://a.example/] [] https://new.example/logout true [web]" {
					t.Errorf("got %s", got)
				}
			}},
		{"a client was deleted and made anew", []store.Record{client("web", nil), user(nil), session(nil)},
			[]store.Record{client("web", func(c *store.Client) { c.CreatedAt = at(2) }), user(nil), session(nil)},
			func(t *testing.T, o *recovery.Overlay, left []store.Record) {
				if _, sessions := onlyUser(left); sessions != 0 || !slices.Equal(o.Preserved.DeletedClients, []string{"web"}) {
					t.Errorf("got %d sessions, %+v", sessions, o.Preserved)
				}
			}},
		{"all sessions of everybody were ended", []store.Record{client("web", nil), user(nil), session(nil)},
			[]store.Record{client("web", func(c *store.Client) { c.Epoch = 1 }), user(nil), session(nil)},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if _, sessions := onlyUser(left); sessions != 0 {
					t.Errorf("got %d sessions", sessions)
				}
			}},
		{"a token was revoked and an assertion used", nil,
			[]store.Record{{RevokedToken: &store.RevokedToken{JTI: "j", Until: at(40)}}, {RevokedToken: &store.RevokedToken{JTI: "over", Until: at(29)}},
				{UsedAssertion: &store.UsedAssertion{ID: store.AssertionID{1}, Until: at(31)}}, {UsedAssertion: &store.UsedAssertion{ID: store.AssertionID{2}, Until: at(28)}}},
			func(t *testing.T, _ *recovery.Overlay, left []store.Record) {
				if len(left) != 4 || left[2].Loss == nil || left[0].RevokedToken.JTI != "j" || !left[0].RevokedToken.Until.Equal(at(40)) || left[1].UsedAssertion.ID != (store.AssertionID{1}) {
					t.Errorf("got %v", left)
				}
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHistory()
			r := replaced(t, h, tc.now...)
			o, left := lay(t, h, r, tc.backup...)
			tc.check(t, o, left)
		})
	}
}

// In a store that is older than the backup nothing was deleted that it does not have.
func TestAbsenceInAnOlderStore(t *testing.T) {
	for name, m := range map[string]*memory{
		"older records": {manifest: install, records: []store.Record{{Event: &store.Event{Type: "login", At: at(-90)}}}},
		"older keyring": {manifest: store.Manifest{Install: install.Install, KeyringVersion: 4}, records: []store.Record{newest}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHistory()
			r := read(t, h, m)
			_, left := lay(t, h, r, client("web", nil), user(nil), session(nil))
			if u, sessions := onlyUser(left); u == nil || sessions != 1 || !r.Older() {
				t.Errorf("got user %v, %d sessions, older %v", u, sessions, r.Older())
			}
		})
	}
}

// A trail that no longer has all events from after the backup is reported.
func TestGap(t *testing.T) {
	for _, tc := range []struct {
		name string
		seqs []uint64
		want uint64
	}{{"whole", []uint64{6, 7, 8, 9}, 0}, {"the oldest are gone", []uint64{12, 13}, 4}, {"some are gone", []uint64{7, 8, 10, 14}, 4}, {"of before a restore, which counts anew", []uint64{1, 2}, 0}, {"none", nil, 0}} {
		h := recovery.NewHistory(recovery.Backup{AsOf: backupDay, Last: backupDay, Seq: 7}, at(30))
		m := &memory{manifest: install}
		for _, seq := range tc.seqs {
			m.records = append(m.records, store.Record{Event: &store.Event{Seq: seq, Type: "login", At: at(1)}})
		}
		if got := read(t, h, m).Gap(); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.name, got, tc.want)
		}
	}
}

// Where a record of the replaced store cannot be read, events count.
func TestUnreadableRecords(t *testing.T) {
	h := newHistory()
	m := &memory{manifest: install, damaged: store.ErrUnavailable,
		records: []store.Record{newest, {Event: &store.Event{Type: "user.disable", Outcome: "ok", Subject: ada.String(), At: at(1)}}}}
	o, left := lay(t, h, read(t, h, m), user(nil))
	if u, _ := onlyUser(left); !u.Disabled || o.Preserved.Unreadable != 1 {
		t.Errorf("got %+v, %d unreadable", u, o.Preserved.Unreadable)
	}
}

// A generation that a log line names is not healed back to by a spent token.
func TestGenerationsOfTheLog(t *testing.T) {
	h := newHistory()
	h.Reached(login1, 8)
	h.Reached(login1, 7)
	_, left := lay(t, h, nil, client("web", nil), user(nil), session(nil))
	for _, r := range left {
		if r.Session != nil && r.Session.Generation != 8 {
			t.Errorf("got generation %d, want 8", r.Session.Generation)
		}
	}
}
