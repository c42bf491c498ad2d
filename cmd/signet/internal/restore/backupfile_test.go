package restore

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install/installtest"
	"signet/keys/masterkey"
	"signet/store"
	"signet/store/archive"
	"signet/store/bolt"
	"signet/store/recovery"
)

// TestMomentOfBackup: a copy shows when it was made, one of an earlier version and a store that has gone
// on after its backup the newest that is in them.
func TestMomentOfBackup(t *testing.T) {
	newest := installtest.Day.Add(time.Hour)
	for _, tc := range []struct {
		name         string
		copied, want time.Time
	}{
		{"no word of it", time.Time{}, newest},
		{"a copy", newest.Add(time.Minute), newest.Add(time.Minute)},
		{"a store with a backup from before", newest.Add(-time.Minute), newest},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, path := t.Context(), filepath.Join(t.TempDir(), "copy.db")
			records := []store.Record{{Event: &store.Event{At: newest, Type: "login"}}}
			if err := bolt.Import(ctx, path, installtest.Seals, installtest.Manifest(), all(records)); err != nil {
				t.Fatal(err)
			}
			if !tc.copied.IsZero() {
				flushAt(t, path, tc.copied)
			}
			b, err := openBackup(ctx, &cli.App{}, path, []masterkey.Key{installtest.Master}, false)
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			if !b.asOf.Equal(tc.want) || !b.last.Equal(newest) {
				t.Errorf("got %v, newest %v, want %v and %v", b.asOf, b.last, tc.want, newest)
			}
		})
	}
}

func all(records []store.Record) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func flushAt(t *testing.T, path string, now time.Time) {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{Seals: installtest.Seals})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(context.Background(), now); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestMomentOfExport: an export of a store at work has read its users before its events. It shows its
// beginning, and what its own events have of later is kept revoked.
func TestMomentOfExport(t *testing.T) {
	user := store.User{ID: store.UserID{1}, Username: "bob", CreatedAt: installtest.Day.Add(-time.Hour), UpdatedAt: installtest.Day.Add(-time.Hour)}
	during := installtest.Day.Add(10 * time.Second)
	path := filepath.Join(t.TempDir(), "export.ndjson")
	writeArchive(t, path, []store.Record{
		{User: &user},
		{RevokedToken: &store.RevokedToken{JTI: "known", Until: during.Add(time.Minute)}},
		{Event: &store.Event{At: during, Type: "user.disable", Outcome: "ok", RequestID: "1", Subject: user.ID.String()}},
		{Event: &store.Event{At: during, Type: "revoke", Outcome: "ok", RequestID: "2", Detail: map[string]string{"jti": "known"}}},
		{Event: &store.Event{At: during, Type: "revoke", Outcome: "ok", RequestID: "3", Detail: map[string]string{"jti": "unknown"}}},
	})
	app := &cli.App{}
	b, err := openBackup(t.Context(), app, path, []masterkey.Key{installtest.Master}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	if !b.asOf.Equal(installtest.Day) {
		t.Errorf("as of %v, want %v", b.asOf, installtest.Day)
	}
	o := recovery.NewOverlay(t.Context(), b.history(during), nil, time.Hour)
	var tokens []string
	events := 0
	for r, err := range o.Records(b.read(t.Context())) {
		switch {
		case err != nil:
			t.Fatal(err)
		case r.User != nil && !r.User.Disabled:
			t.Error("the user is not disabled")
		case r.RevokedToken != nil:
			tokens = append(tokens, r.RevokedToken.JTI)
		case r.Event != nil:
			events++
		}
	}
	if fmt.Sprint(tokens) != "[known unknown]" || o.Preserved.Tokens != 1 || events != 3 {
		t.Errorf("got tokens %v, %d of them kept, and %d events, want each once", tokens, o.Preserved.Tokens, events)
	}
}

func writeArchive(t *testing.T, path string, records []store.Record) {
	t.Helper()
	var out bytes.Buffer
	f := store.Manifest{Install: store.Install{ID: "install", Schema: 1, CreatedAt: installtest.Day}, KeyringVersion: 3, Keyring: []byte{0, 254, 255}}
	w, err := archive.NewWriter(&out, installtest.Seals, f, installtest.Day)
	for _, r := range records {
		if err == nil {
			err = w.Write(r)
		}
	}
	if err == nil {
		_, err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}
