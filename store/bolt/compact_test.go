package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
)

// swollen is a store that once held much more than it does.
func swollen(t *testing.T) (path string, records []store.Record) {
	path = filepath.Join(t.TempDir(), "signet.db")
	must(t, Import(t.Context(), path, nil, moveManifest, stream(moveRecords(), nil)))
	s := mustOpen(t, path)
	putMany(t, s, 30_000, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(layout.Revoked.String())).Put(fmt.Appendf(nil, "dead-%x", rand.Uint64()), make([]byte, 8))
	})
	for range 20 {
		s.Sweep(t.Context(), moveDay, store.Lifetimes{Idle: 1 << 62, Absolute: 1 << 62})
	}
	records = exported(t, s)
	must(t, s.Close())
	return path, records
}

// putMany puts n records, some hundred in a transaction: bbolt takes the longer for each, the more of them are new.
func putMany(t *testing.T, s *Store, n int, put func(tx *bbolt.Tx) error) {
	t.Helper()
	for n > 0 {
		must(t, s.db.File.DB.Update(func(tx *bbolt.Tx) error {
			for range min(n, 500) {
				if err := put(tx); err != nil {
					return err
				}
				n--
			}
			return nil
		}))
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	return info.Size()
}

func TestCompact(t *testing.T) {
	t.Parallel()
	path, want := swollen(t)
	must(t, os.Chmod(path, 0o640))
	link := filepath.Join(t.TempDir(), "link.db")
	must(t, os.Symlink(path, link))
	for what, name := range map[string]string{"itself": path, "through a link": link} {
		before := fileSize(t, path)
		c, err := Compact(t.Context(), name, nil)
		must(t, err)
		if c.Before != before || c.After != fileSize(t, path) || c.After > c.Before {
			t.Errorf("%s: got %+v, the file had %d and has %d bytes", what, c, before, fileSize(t, path))
		}
	}
	if n := fileSize(t, path); n > 256<<10 {
		t.Errorf("a compacted file with %d records has %d bytes", len(want), n)
	}
	info, err := os.Lstat(path)
	must(t, err)
	if info.Mode() != 0o640 {
		t.Errorf("mode: got %v, want 0640", info.Mode())
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	must(t, Check(path, nil))
	s := mustOpen(t, path)
	if got := exported(t, s); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := Compact(t.Context(), path, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("while it is open: got %v, want ErrLocked", err)
	}
}

// TestCompactChangesNothingOnFailure: of a file that is damaged, not there, or not to be finished.
func TestCompactChangesNothingOnFailure(t *testing.T) {
	t.Parallel()
	path, _ := swollen(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	raw, err := os.ReadFile(path)
	must(t, err)
	if _, err := Compact(ctx, path, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, raw) {
		t.Error("cancelled: the file has changed")
	}
	for at := 0; ; { // in free pages too
		found := bytes.Index(raw[at:], []byte("$argon2id$ada"))
		if found < 0 {
			break
		}
		at += found + 1
		copy(raw[at-21:], strings.Repeat("\xff", 18))
	}
	must(t, os.WriteFile(path, raw, 0o600))
	if Check(path, nil) == nil {
		t.Fatal("the file is not damaged")
	}
	if _, err := Compact(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("damaged: got %v", err)
	}
	if now, _ := os.ReadFile(path); !bytes.Equal(now, raw) {
		t.Error("damaged: the file has changed")
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Compact(t.Context(), path+".none", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: got %v, want fs.ErrNotExist", err)
	}
}

// TestBackupIsCompact: free pages are not copied, and nothing is left beside the store, also not what a
// backup of a process that was killed has left.
func TestBackupIsCompact(t *testing.T) {
	t.Parallel()
	path, want := swollen(t)
	must(t, os.WriteFile(path+spoolSuffix+"123", []byte("left"), 0o600))
	must(t, os.WriteFile(path+".kept", nil, 0o600))
	s := mustOpen(t, path)
	var copied bytes.Buffer
	n, err := s.Backup(t.Context(), &copied)
	must(t, err)
	if n != int64(copied.Len()) || n > 256<<10 || n > fileSize(t, path)/2 {
		t.Errorf("the backup has %d bytes (%d said), the store %d", copied.Len(), n, fileSize(t, path))
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 2 {
		t.Errorf("left behind: %v", left)
	}
	restored := filepath.Join(t.TempDir(), "copy.db")
	must(t, os.WriteFile(restored, copied.Bytes(), 0o600))
	must(t, Check(restored, nil))
	if got := exported(t, mustOpen(t, restored)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestImportIsInOrder: records that come in no order make a file as small as those in order.
func TestImportIsInOrder(t *testing.T) {
	t.Parallel()
	const many = 5000
	var records []store.Record
	for range many {
		records = append(records, store.Record{RevokedToken: &store.RevokedToken{JTI: fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()), Until: moveDay}})
	}
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, Import(t.Context(), path, nil, moveManifest, stream(records, nil)))
	imported := fileSize(t, path)
	c, err := Compact(t.Context(), path, nil)
	must(t, err)
	if float64(imported) > 1.05*float64(c.After) {
		t.Errorf("imported: %d bytes, compacted: %d", imported, c.After)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}
