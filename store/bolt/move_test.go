package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

var moveDay = time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)

func moveUser(n byte, name string) store.User {
	return store.User{ID: store.UserID{n}, Username: name, PasswordHash: "$argon2id$" + name,
		Claims: map[string]json.RawMessage{"roles": json.RawMessage(`["<a>&b"]`)}, CreatedAt: moveDay, UpdatedAt: moveDay}
}

func moveSession(user, n byte) store.Session {
	return store.Session{ID: store.SessionID{n}, UserID: store.UserID{user}, ClientID: "web", Generation: 7, Replays: 2,
		StartedAt: moveDay, RotatedAt: moveDay.Add(time.Hour)}
}

var moveManifest = store.Manifest{
	Install:        store.Install{ID: "install", Schema: Schema, CreatedAt: moveDay},
	KeyringVersion: 9, Keyring: []byte{0, 1, 2, 255},
}

// moveRecords is one of everything, in the order of an export.
func moveRecords() []store.Record {
	ada, bob := moveUser(1, "ada"), moveUser(2, "bob")
	bob.Disabled, bob.NotBefore, bob.Claims = true, moveDay, nil
	one, two := moveSession(1, 1), moveSession(1, 2)
	return []store.Record{
		{Client: &store.Client{ID: "web", Secrets: []store.Secret{{Hash: []byte{1, 2}, CreatedAt: moveDay}}, Grants: []string{"password"}, CreatedAt: moveDay, UpdatedAt: moveDay}},
		{User: &ada}, {Session: &one}, {Session: &two},
		{User: &bob},
		{RevokedToken: &store.RevokedToken{JTI: "jti", Until: moveDay}},
		{UsedAssertion: &store.UsedAssertion{ID: store.AssertionID{7}, Until: moveDay}},
		{UsedCode: &store.UsedCode{UserID: store.UserID{1}, SessionID: store.SessionID{9}, Until: moveDay}},
		{Loss: &store.Loss{At: moveDay}},
		{Event: &store.Event{Seq: 1, At: moveDay, Type: "login", Outcome: "ok"}},
		{Event: &store.Event{Seq: 2, At: moveDay, Type: "refresh", Outcome: "reuse", Detail: map[string]string{"a": "b"}}},
	}
}

func stream(records []store.Record, end error) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
		if end != nil {
			yield(store.Record{}, end)
		}
	}
}

func exported(t *testing.T, s *Store) (records []store.Record) {
	t.Helper()
	must(t, s.Export(t.Context(), func(r store.Record) error {
		records = append(records, r)
		return nil
	}))
	return records
}

func TestMove(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	want := moveRecords()
	must(t, Import(t.Context(), path, nil, moveManifest, stream(want, nil)))
	must(t, Check(path, nil))
	s, err := Open(path, Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	if got := exported(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, err := s.Manifest(t.Context()); err != nil || !reflect.DeepEqual(got, moveManifest) {
		t.Errorf("manifest: got %+v, %v, want %+v", got, err, moveManifest)
	}
	if u, err := s.UserByName(t.Context(), "bob"); err != nil || u.ID != (store.UserID{2}) {
		t.Errorf("bob by name: got %+v, %v", u, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want a file of mode 0600", info, err)
	}
}

// The same mark twice is the one that lasts longer: a copy may have one twice.
func TestImportMarksTwice(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	assertion := func(until time.Time) store.Record {
		return store.Record{UsedAssertion: &store.UsedAssertion{ID: store.AssertionID{7}, Until: until}}
	}
	later := moveDay.Add(time.Hour)
	records := []store.Record{assertion(moveDay), assertion(later), assertion(moveDay)}
	must(t, Import(t.Context(), path, nil, moveManifest, stream(records, nil)))
	if got := exported(t, mustOpen(t, path)); !reflect.DeepEqual(got, []store.Record{assertion(later)}) {
		t.Errorf("got %+v, want the one until %v", got, later)
	}
}

// Events that gaps and another beginning have numbered are counted from 1, and what comes next goes on.
func TestImportNumbersEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	records := []store.Record{{Event: &store.Event{Seq: 70, Type: "a"}}, {Event: &store.Event{Seq: 90, Type: "b"}}}
	must(t, Import(t.Context(), path, nil, moveManifest, stream(records, nil)))
	s := mustOpen(t, path)
	must(t, s.AppendEvents(t.Context(), []store.Event{{Type: "c"}}))
	got := exported(t, s) // with what is not written yet
	for i, r := range got {
		if r.Event.Seq != uint64(i+1) {
			t.Errorf("event %d: got number %d", i+1, r.Event.Seq)
		}
	}
	if len(got) != 3 {
		t.Errorf("got %d events, want 3", len(got))
	}
}

// The name of the exporter's layout has no bearing on the importer's.
func TestImportHasItsOwnSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	f := moveManifest
	f.Install.Schema = Schema + 5
	must(t, Import(t.Context(), path, nil, f, stream(nil, nil)))
	mustOpen(t, path)
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	all := moveRecords()
	user, session := all[1], all[2]
	name, client, broken := moveUser(3, "ada"), *all[0].Client, errors.New("line 5 is broken")
	nobody := moveSession(8, 8)
	tests := map[string]struct {
		records []store.Record
		end     error
		want    string
	}{
		"a client twice":            {append(moveRecords(), store.Record{Client: &client}), nil, `client "web" is there twice`},
		"a user twice":              {append(moveRecords(), user), nil, "user " + user.User.ID.String() + " is there twice"},
		"a name twice":              {append(moveRecords(), store.Record{User: &name}), nil, "user " + name.ID.String() + `: another has the username "ada" too`},
		"a session twice":           {append(moveRecords(), session), nil, "session " + session.Session.ID.String() + " is there twice"},
		"a session before its user": {[]store.Record{session, user}, nil, "has not come before it"},
		"a session of nobody":       {append(moveRecords(), store.Record{Session: &nobody}), nil, "session " + nobody.ID.String() + ": its user"},
		"a user without a name":     {[]store.Record{{User: &store.User{ID: store.UserID{1}}}}, nil, "the username has 0 bytes"},
		"a client without an id":    {[]store.Record{{Client: &store.Client{}}}, nil, "the client id has 0 bytes"},
		"a token without an id":     {[]store.Record{{RevokedToken: &store.RevokedToken{}}}, nil, "its jti has 0 bytes"},
		"a session without an id":   {[]store.Record{{Session: &store.Session{}}}, nil, "its id, user or client is missing"},
		"an empty record":           {[]store.Record{{}}, nil, "a record is empty"},
		"a stream that breaks off":  {moveRecords(), broken, broken.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			err := Import(t.Context(), filepath.Join(dir, "signet.db"), nil, moveManifest, stream(test.records, test.end))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			wantEmpty(t, dir)
		})
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestImportWithoutManifest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, spoil := range map[string]func(*store.Manifest){
		"install": func(f *store.Manifest) { f.Install.ID = "" },
		"version": func(f *store.Manifest) { f.KeyringVersion = 0 },
		"keyring": func(f *store.Manifest) { f.Keyring = nil },
	} {
		f := moveManifest
		spoil(&f)
		if err := Import(t.Context(), filepath.Join(dir, "signet.db"), nil, f, stream(moveRecords(), nil)); err == nil {
			t.Errorf("without its %s: imported", name)
		}
	}
	wantEmpty(t, dir)
}

// A second import changes nothing, also when it comes while the first is under way.
func TestImportOverAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	other := moveManifest
	other.Install.ID = "other"
	inner := func(yield func(store.Record, error) bool) {
		must(t, Import(t.Context(), path, nil, moveManifest, stream(moveRecords(), nil)))
		yield(moveRecords()[0], nil)
	}
	for range 2 {
		if err := Import(t.Context(), path, nil, other, inner); !errors.Is(err, store.ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
	}
	if f, err := mustOpen(t, path).Manifest(t.Context()); err != nil || f.Install.ID != "install" {
		t.Errorf("got %+v, %v, want the first import's", f, err)
	}
}

func TestImportGivenUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Import(ctx, filepath.Join(dir, "signet.db"), nil, moveManifest, stream(moveRecords(), nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	wantEmpty(t, dir)
}

// TestExportNamesWhatIsDamaged: each of these is on the disk but in no export, which must not pass unseen.
func TestExportNamesWhatIsDamaged(t *testing.T) {
	t.Parallel()
	orphan := layout.SessionKey(store.UserID{9}, store.SessionID{9})
	good := moveSession(1, 1)
	tests := map[string]struct {
		bucket     *layout.Bucket
		key, value []byte
	}{
		"client":                 {layout.Clients, []byte("bad"), []byte("{")},
		"client elsewhere":       {layout.Clients, []byte("bad"), []byte(`{"client_id":"good"}`)},
		"user":                   {layout.Users, []byte("short"), []byte{9}},
		"session":                {layout.Sessions, layout.SessionKey(store.UserID{1}, store.SessionID{7}), []byte{9}},
		"session without a user": {layout.Sessions, orphan, []byte{1, 0}},
		"session before users":   {layout.Sessions, layout.SessionKey(store.UserID{}, good.ID), []byte{1, 0}},
		"revoked token":          {layout.Revoked, []byte("bad"), []byte{1}},
		"used assertion":         {layout.Assertions, []byte("longer than sixteen bytes"), codec.AppendTime(nil, moveDay)},
		"used assertion, until":  {layout.Assertions, make([]byte, 16), []byte{1}},
		"audit event":            {layout.Audit, layout.SeqKey(99), []byte("[")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "signet.db")
			must(t, Import(t.Context(), path, nil, moveManifest, stream(moveRecords(), nil)))
			s := mustOpen(t, path)
			must(t, s.db.File.DB.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(test.bucket.String())).Put(test.key, test.value) }))
			err := s.Export(t.Context(), func(store.Record) error { return nil })
			kind, _, _ := strings.Cut(name, " ")
			if !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), kind) {
				t.Errorf("got %v, want ErrUnavailable that names the %s", err, kind)
			}
		})
	}
}

func TestManifestOfAnEmptyStore(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	if _, err := s.Manifest(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no install: got %v, want ErrNotFound", err)
	}
	must(t, s.CreateInstall(t.Context(), store.Install{ID: "x", Schema: Schema}))
	if _, err := s.Manifest(t.Context()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no keyring: got %v, want ErrNotFound", err)
	}
}

// An export ends with its caller's wish, and with the store.
func TestExportEnds(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, Import(t.Context(), path, nil, moveManifest, stream(moveRecords(), nil)))
	s := mustOpen(t, path)
	enough := errors.New("enough")
	n := 0
	if err := s.Export(t.Context(), func(store.Record) error { n++; return enough }); !errors.Is(err, enough) || n != 1 {
		t.Errorf("got %v after %d records, want the visitor's error after one", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Export(ctx, func(store.Record) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
