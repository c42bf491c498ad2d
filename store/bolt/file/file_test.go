package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPermission: a file that may not be opened is not called damaged.
func TestPermission(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/data/signet.db", Err: os.ErrPermission}
	err := explain("/data/signet.db", denied)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/data/signet.db") || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v, want the permission and the path, not damage", err)
	}
}

// TestMake: the first file stays, and one that could not be made leaves nothing.
func TestMake(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "signet.db")
	full := errors.New("no space left")
	if made, err := Make(path, func(string) error { return full }); made || !errors.Is(err, full) {
		t.Errorf("that fails: got %v, %v", made, err)
	}
	for i, content := range []string{"first", "second"} {
		made, err := Make(path, func(tmp string) error {
			if _, err := os.Stat(path); i == 0 && !errors.Is(err, fs.ErrNotExist) {
				t.Error("the file has its name before it is whole")
			}
			return os.WriteFile(tmp, []byte(content), 0o600)
		})
		if made != (i == 0) || err != nil {
			t.Errorf("%s: got %v, %v", content, made, err)
		}
	}
	if raw, err := os.ReadFile(path); string(raw) != "first" {
		t.Errorf("got %q, %v, want the first", raw, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestSafely: a panic and a page fault become damage, with the path.
func TestSafely(t *testing.T) {
	for name, do := range map[string]func() error{
		"assertion":     func() error { panic("assertion failed: page 7") },
		"runtime error": func() error { return []error{}[len(os.Args)] },
		"page fault": func() error {
			path := filepath.Join(t.TempDir(), "db")
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			defer db.Close()
			tx, err := db.Begin(false)
			must(t, err)
			defer tx.Rollback()
			must(t, os.Truncate(path, 0)) // under the map
			tx.Bucket([]byte("any"))
			return nil
		},
	} {
		err := Safely("/data/signet.db", do)
		if d, ok := errors.AsType[*DamagedError](err); !ok || d.Path != "/data/signet.db" || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: got %v, want damage", name, err)
		}
	}
}

// TestCopyStops: an error of stop ends a copy, and the file can be closed.
func TestCopyStops(t *testing.T) {
	dir := t.TempDir()
	db, err := bbolt.Open(filepath.Join(dir, "from"), 0o600, nil)
	must(t, err)
	defer db.Close()
	must(t, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("b"))
		return err
	}))
	stopped := errors.New("stopped")
	err = db.View(func(tx *bbolt.Tx) error { return Copy(tx, filepath.Join(dir, "to"), func() error { return stopped }) })
	if !errors.Is(err, stopped) {
		t.Errorf("got %v, want the error of stop", err)
	}
}
