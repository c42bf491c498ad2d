package main

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt"
)

var backupDay = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return backupDay.Add(time.Duration(minutes) * time.Minute) }

// recalled lays events over records, with a backup of backupDay.
func recalled(records []store.Record, events ...store.Event) (*overlay, []store.Record) {
	r := newRecall(&backupFile{asOf: backupDay, last: backupDay})
	for i, e := range events {
		if e.Outcome == "" {
			e.Outcome = "ok"
		}
		if e.RequestID == "" {
			e.RequestID = fmt.Sprint(i)
		}
		r.note(e)
	}
	o := newOverlay(r, time.Hour, at(30))
	var left []store.Record
	for record, err := range o.records(all(records)) {
		if err != nil {
			panic(err)
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
	return r
}

func backedUpUser(n byte, name string, changed time.Time) store.User {
	return store.User{ID: store.UserID{n}, Username: name, PasswordHash: "hash", CreatedAt: at(-1000), UpdatedAt: changed}
}

func TestRecallOfUsers(t *testing.T) {
	id := store.UserID{1}
	sub := id.String()
	old := store.Session{ID: store.SessionID{1}, UserID: id, ClientID: "web", StartedAt: at(-60), RotatedAt: at(-60)}
	for _, tc := range []struct {
		name     string
		changed  time.Time // the user, as the backup has it
		disabled bool      // in the backup
		events   []store.Event
		want     store.User // Disabled, PasswordHash and NotBefore of it
		gone     bool
		sessions int
	}{
		{"nothing", at(-500), false, nil, store.User{PasswordHash: "hash"}, false, 1},
		{"disabled since", at(-500), false, []store.Event{{Type: "user.disable", At: at(1)}},
			store.User{PasswordHash: "hash", Disabled: true, NotBefore: at(1).Add(time.Millisecond)}, false, 0},
		{"disabled and enabled since", at(-500), false, []store.Event{{Type: "user.disable", At: at(1)}, {Type: "user.enable", At: at(2)}},
			store.User{PasswordHash: "hash", NotBefore: at(1).Add(time.Millisecond)}, false, 0},
		{"enabled since", at(-500), true, []store.Event{{Type: "user.enable", At: at(2)}}, store.User{PasswordHash: "hash"}, false, 1},
		{"disabled long before, and enabled in the backup", at(-100), false, []store.Event{{Type: "user.disable", At: at(-200)}},
			store.User{PasswordHash: "hash", NotBefore: at(-200).Add(time.Millisecond)}, false, 1},
		{"a new password since", at(-500), false, []store.Event{{Type: "user.set_password", At: at(1)}},
			store.User{NotBefore: at(1).Add(time.Millisecond)}, false, 0},
		{"a new password that the backup has", at(-100), false, []store.Event{{Type: "user.set_password", At: at(-100).Add(-3 * time.Millisecond)}},
			store.User{PasswordHash: "hash", NotBefore: at(-100).Add(-2 * time.Millisecond)}, false, 1},
		{"signed out since", at(-500), false, []store.Event{{Type: "session.revoke_all", At: at(1)}},
			store.User{PasswordHash: "hash", NotBefore: at(1).Add(time.Millisecond)}, false, 0},
		{"deleted since", at(-500), false, []store.Event{{Type: "user.delete", At: at(1)}}, store.User{}, true, 0},
		{"one session ended since", at(-500), false, []store.Event{{Type: "revoke", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"one session ended by an operator", at(-500), false, []store.Event{{Type: "session.revoke", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a stolen refresh token", at(-500), false, []store.Event{{Type: "refresh_reuse", Outcome: "reuse", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a client that lost a right", at(-500), false, []store.Event{{Type: "refresh", Outcome: "revoked", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 0},
		{"a refresh that healed", at(-500), false, []store.Event{{Type: "refresh", Outcome: "healed", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 1},
		{"a revocation that was refused", at(-500), false, []store.Event{{Type: "revoke", Outcome: "refused", SessionID: old.ID.String(), At: at(1)}}, store.User{PasswordHash: "hash"}, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			u := backedUpUser(1, "ada", tc.changed)
			u.Disabled = tc.disabled
			for i := range tc.events {
				tc.events[i].Subject = sub
			}
			_, left := recalled([]store.Record{{User: &u}, {Session: &old}}, tc.events...)
			var got *store.User
			sessions := 0
			for _, r := range left {
				if r.User != nil {
					got = r.User
				}
				if r.Session != nil {
					sessions++
				}
			}
			if sessions != tc.sessions || (got == nil) != tc.gone {
				t.Fatalf("got user %v and %d sessions, want gone %v and %d", got, sessions, tc.gone, tc.sessions)
			}
			if got != nil && (got.Disabled != tc.want.Disabled || got.PasswordHash != tc.want.PasswordHash || !got.NotBefore.Equal(tc.want.NotBefore)) {
				t.Errorf("got disabled %v, hash %q, not before %v; want %v, %q, %v", got.Disabled, got.PasswordHash, got.NotBefore, tc.want.Disabled, tc.want.PasswordHash, tc.want.NotBefore)
			}
		})
	}
}

func TestRecallOfClients(t *testing.T) {
	client := func(id string) store.Record {
		return store.Record{Client: &store.Client{ID: id, CreatedAt: at(-1000), UpdatedAt: at(-1000)}}
	}
	o, left := recalled([]store.Record{client("kept"), client("disabled"), client("deleted"), client("rotated")},
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
	var ids []string
	for _, r := range left {
		if c := r.Client; c != nil {
			ids = append(ids, c.ID)
			if c.Disabled != (c.ID == "disabled") {
				t.Errorf("%s: disabled %v", c.ID, c.Disabled)
			}
			if want := at(3).Add(time.Millisecond); !c.NotBefore.Equal(want) {
				t.Errorf("%s: not before %v, want %v", c.ID, c.NotBefore, want)
			}
		}
	}
	if got := strings.Join(ids, " "); got != "kept disabled rotated" {
		t.Errorf("clients: got %s", got)
	}
	l := o.lost(func(string) string { return "" })
	want := lost{Logins: 1, Clients: []string{"late"}, ChangedClients: []string{"rotated"}, Secrets: []string{"rotated"}}
	if !reflect.DeepEqual(l, want) {
		t.Errorf("lost: got %+v, want %+v", l, want)
	}
	if o.counts.Events != 10 {
		t.Errorf("got %d events from after the backup, want all 10", o.counts.Events)
	}
}

func TestRecallOfTokensAndKeys(t *testing.T) {
	o, left := recalled(nil,
		store.Event{Type: "revoke", Detail: map[string]string{"jti": "young"}, At: at(1)},
		store.Event{Type: "revoke", Detail: map[string]string{"jti": "over"}, At: at(-40)},
		store.Event{Type: "key.revoked", KeyID: "k1", At: at(1)},
		store.Event{Type: "keys.revoke", KeyID: "k1", At: at(1)},
		store.Event{Type: "keys.revoke", KeyID: "k2", At: at(1)})
	var tokens []string
	for _, r := range left {
		if r.RevokedToken != nil {
			tokens = append(tokens, r.RevokedToken.JTI)
		}
	}
	if got := strings.Join(tokens, " "); got != "young" || o.kept.Tokens != 1 {
		t.Errorf("tokens: got %s, %d", got, o.kept.Tokens)
	}
	if len(o.keys) != 2 || !o.keys["k1"] || !o.keys["k2"] {
		t.Errorf("keys: got %v", o.keys)
	}
}

// TestRecallOfAssertions: what the replaced store knows to have been used is used in the restored one
// too, while it is good by some clock.
func TestRecallOfAssertions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := bolt.Open(path, bolt.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	good, over := store.AssertionID{1}, store.AssertionID{2}
	ends := at(30).Add(-store.AssertionMargin) // of what is over when recalled lays it
	if err := errors.Join(s.SpendAssertion(t.Context(), good, ends.Add(time.Millisecond)), s.SpendAssertion(t.Context(), over, ends), s.Close()); err != nil {
		t.Fatal(err)
	}
	target, err := openBoltTarget(path, at(30))
	if err != nil {
		t.Fatal(err)
	}
	defer target.close()
	o, _ := recalled(nil)
	if _, _, err := target.recall(t.Context(), o.recall); err != nil {
		t.Fatal(err)
	}
	var got []store.AssertionID
	for record := range o.records(all(nil)) {
		got = append(got, record.SpentAssertion.ID)
	}
	if !reflect.DeepEqual(got, []store.AssertionID{good}) || o.counts.Assertions != 1 {
		t.Errorf("got %v, counted %d, want %v", got, o.counts.Assertions, good)
	}
}

// TestReadLog: the same event in the trail and in the log is one; what the backup has is not new.
func TestReadLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	lines := `{"time":"2026-03-04T12:01:00.5Z","level":"INFO","msg":"serving","listen":"127.0.0.1:1"}
not JSON at all
{"time":"2026-03-04T12:01:00.5Z","level":"INFO","msg":"audit","type":"user.disable","outcome":"ok","at":"2026-03-04T12:01:00.123456Z","request_id":"r1","actor":"socket","sub":"usr_x"}
{"time":"2026-03-04T12:02:00.5Z","level":"INFO","msg":"audit","type":"revoke","outcome":"ok","at":"2026-03-04T12:02:00Z","request_id":"r2","jti":"j"}
{"seq":9,"at":"2026-03-04T12:03:00Z","type":"key.revoked","outcome":"ok","kid":"k","detail":{"version":"7"}}
{"time":"2026-03-04T12:04:00Z","level":"INFO","msg":"audit","type":"login","outcome":"ok","at":"2026-03-04T11:59:59Z","request_id":"old"}
`
	if err := os.WriteFile(log, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	inTrail := store.Event{Type: "user.disable", Outcome: "ok", RequestID: "r1", Subject: "usr_x", At: at(1)}
	inBackup := store.Event{Type: "login", Outcome: "ok", RequestID: "old", At: at(0).Add(-time.Second)}
	r := newRecall(&backupFile{asOf: at(0), last: at(0), newest: map[string]bool{eventMark(inBackup): true}})
	r.note(inTrail)
	if err := r.readLog(log); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range r.newEvents() {
		got = append(got, e.Type)
	}
	if want := "user.disable revoke key.revoked"; strings.Join(got, " ") != want {
		t.Errorf("events: got %v, want %s", got, want)
	}
	if r.tokens["j"] != at(2) || !r.keys["k"] || r.users["usr_x"].disabled != at(1) || r.logins != 0 {
		t.Errorf("got tokens %v, keys %v, users %v, %d logins", r.tokens, r.keys, r.users, r.logins)
	}
}

// FuzzLogLine: whatever stands in a log, reading it does not fail, and an event has a type and a time.
func FuzzLogLine(f *testing.F) {
	f.Add([]byte(`{"msg":"audit","type":"revoke","at":"2026-03-04T12:02:00Z","sid":"AAAA","jti":"x","nested":{"a":1}}`))
	f.Add([]byte(`{"seq":1,"at":"2026-03-04T12:02:00Z","type":"login"}`))
	f.Add([]byte(`{"msg":"audit","type":7,"at":[]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, ok := parseLogLine(line)
		if !ok {
			return
		}
		if e.Type == "" || e.At.IsZero() && e.At.Year() != 1 {
			t.Errorf("got %+v", e)
		}
		r := newRecall(&backupFile{asOf: backupDay, last: backupDay})
		r.note(e)
		for _, err := range newOverlay(r, time.Hour, backupDay).records(all(nil)) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
