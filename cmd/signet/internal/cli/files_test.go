package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestLeftoversOfAKilledCommand: what a command that was killed has left beside its file is removed by
// the next, and what another command still writes is not.
func TestLeftoversOfAKilledCommand(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "copy.db")
	make := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	make(".copy.db.123456789").Close()
	busy := make(".copy.db.987654321")
	if err := syscall.Flock(int(busy.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{".copy.db.swp", ".other.db.123456789", "copy.db.123456789", ".copy.db."} {
		make(other).Close()
	}
	if err := WriteFile(path, false, nil, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "failed.db"), false, nil, func(io.Writer) error { return errors.New("no") }); err == nil {
		t.Error("a write that fails is no error")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{".copy.db.", ".copy.db.987654321", ".copy.db.swp", ".other.db.123456789", "copy.db", "copy.db.123456789"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
	if got := Leftovers(dir, ""); !slices.Equal(got, []string{filepath.Join(dir, ".other.db.123456789")}) {
		t.Errorf("doctor would name %q", got)
	}
}
