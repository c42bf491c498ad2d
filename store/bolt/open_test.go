package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

func TestOpenMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "signet.db")
	_, err := Open(path, Options{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open of nothing: got %v, want fs.ErrNotExist and the path", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of nothing made a file: %v", err)
	}
	_, err = Open(filepath.Join(dir, "no", "signet.db"), Options{Create: true})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("creating in no directory: got %v, want fs.ErrNotExist", err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "signet.db")
	mustOpen(t, path)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: got %v, %v, want 0600", info.Mode(), err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("creation left something behind: %v", entries)
	}
	if _, err := Open(path, Options{}); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a second Open in the same process: got %v, want ErrLocked", err)
	}
}

func TestOpenUnusable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, content, want string
	}{
		{"empty", "", "it is empty; restore a backup"},
		{"short", "x", "restore a backup"},
		{"text", strings.Repeat("not a store\n", 10_000), "restore a backup"},
		{"zeros", strings.Repeat("\x00", 65536), "restore a backup"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "signet.db")
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, create := range []bool{false, true} {
				_, err := Open(path, Options{Create: create})
				if !errors.Is(err, file.ErrDamaged) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("Open: got %v, want %q", err, c.want)
				}
			}
			if now, _ := os.ReadFile(path); string(now) != c.content {
				t.Errorf("Open changed the file")
			}
		})
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("Open of a directory: got %v", err)
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("root may write anywhere; run as another user")
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	_, err := Open(filepath.Join(dir, "signet.db"), Options{Create: true})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("Open in a read-only directory: got %v, want the permission and the directory", err)
	}
}

// filled writes a store with something of everything and returns its bytes, those in use.
func filled(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "signet.db")
	s := mustOpen(t, path)
	ctx := context.Background()
	must(t, s.CreateInstall(ctx, store.Install{ID: "one", Schema: Schema}))
	for i := range 300 {
		u := store.User{ID: store.UserID{1, byte(i), byte(i >> 8)}, Username: fmt.Sprintf("user-%d", i), PasswordHash: strings.Repeat("h", 80)}
		must(t, s.CreateUser(ctx, u))
		_, _, err := s.StartSession(ctx, store.Session{ID: store.SessionID{byte(i), 1}, UserID: u.ID, ClientID: "app", StartedAt: s.db.Now()}, store.SessionLimits{PerUser: 9})
		must(t, err)
	}
	must(t, s.CreateClient(ctx, store.Client{ID: "app"}))
	must(t, s.AppendEvents(ctx, []store.Event{{Type: "login"}}))
	used := int64(0)
	must(t, s.Close())
	s = mustOpen(t, path)
	must(t, s.db.View(t.Context(), func(tx *layout.Tx) error { used = tx.Tx.Size(); return nil }))
	must(t, s.Close())
	raw, err := os.ReadFile(path)
	must(t, err)
	return raw[:used]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestTruncated: a file that lost its end is refused, wherever it was cut below what is in use.
func TestTruncated(t *testing.T) {
	t.Parallel()
	raw := filled(t)
	path := filepath.Join(t.TempDir(), "signet.db")
	for _, size := range []int{1, 4095, 4096, 8191, 8192, 12288, 16384, 20000, len(raw) / 4, len(raw) / 2, len(raw) - 1} {
		must(t, os.WriteFile(path, raw[:size], 0o600))
		s, err := Open(path, Options{Create: true})
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, file.ErrDamaged) {
			t.Errorf("cut to %d of %d bytes: got %v, want the damage", size, len(raw), err)
		}
		if err := Check(path, nil); err == nil {
			t.Errorf("cut to %d of %d bytes: Check found nothing", size, len(raw))
		}
	}
}

// TestFlipped spoils pages at random. What Open and reading make of it may be an error or the
// data, never a panic and never an empty store; Check must not panic either.
func TestFlipped(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens a hundred damaged files; the full suite has it")
	}
	t.Parallel()
	raw := filled(t)
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "signet.db")
	const flips = 100
	refused, found := 0, 0
	for range flips {
		spoilt := append([]byte(nil), raw...)
		at := random.IntN(len(spoilt))
		for range 1 << random.IntN(10) {
			spoilt[at%len(spoilt)] = byte(random.Uint32())
			at++
		}
		must(t, os.WriteFile(path, spoilt, 0o600))
		if Check(path, nil) != nil {
			found++
		}
		s, err := Open(path, Options{Create: true})
		if err != nil {
			refused++
			continue
		}
		ctx := context.Background()
		if _, err := s.Install(ctx); errors.Is(err, store.ErrNotFound) {
			t.Fatalf("a spoilt file opened without its install record")
		}
		s.ListUsers(ctx, "", 1000)
		s.ListClients(ctx, "", 10)
		s.Events(ctx, store.EventQuery{})
		s.CreateUser(ctx, store.User{ID: store.UserID{9}, Username: "new"})
		s.DeleteUser(ctx, store.UserID{1, 1})
		s.Close()
	}
	t.Logf("Open refused %d of %d, Check %d", refused, flips, found)
	if found < refused {
		t.Errorf("Check found %d, Open refused %d", found, refused)
	}
}

// TestCircle: bbolt would follow a branch page that is below itself until there is no memory left.
func TestCircle(t *testing.T) {
	t.Parallel()
	raw := filled(t)
	pageSize := os.Getpagesize()
	circles := 0
	for at := 2 * pageSize; at < len(raw); at += pageSize {
		head := raw[at : at+16]
		if binary.NativeEndian.Uint16(head[8:]) != 1 || binary.NativeEndian.Uint64(head) != uint64(at/pageSize) {
			continue // no branch page
		}
		for _, child := range []int{0, int(binary.NativeEndian.Uint16(head[10:])) - 1} {
			spoilt := slices.Clone(raw)
			binary.NativeEndian.PutUint64(spoilt[at+16+16*child+8:], uint64(at/pageSize))
			path := filepath.Join(t.TempDir(), "signet.db")
			must(t, os.WriteFile(path, spoilt, 0o600))
			s, err := Open(path, Options{})
			switch {
			case err == nil: // an old page that is not in use
				must(t, s.Close())
			case errors.Is(err, file.ErrDamaged):
				circles++
			default:
				t.Errorf("page %d: got %v", at/pageSize, err)
			}
			if err := Check(path, nil); err != nil && !errors.Is(err, file.ErrDamaged) {
				t.Errorf("page %d: got %v", at/pageSize, err)
			}
		}
	}
	if circles < 4 {
		t.Errorf("got %d circles, want those of two branch pages at least", circles)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	raw := filled(t)
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, os.WriteFile(path, raw, 0o600))
	if err := Check(path, nil); err != nil {
		t.Errorf("Check of a good file: %v", err)
	}
	mustOpen(t, path)
	if err := Check(path, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("Check of an open file: got %v, want ErrLocked", err)
	}
	if err := Check(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Check of nothing: got %v, want fs.ErrNotExist", err)
	}
}
