package mark

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFile: the file is private, is replaced whole, and nothing is left beside it.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	f := File(filepath.Join(dir, "keyring.mark"))
	if text, err := f.LoadMark(); text != nil || err != nil {
		t.Errorf("of no file: %q, %v", text, err)
	}
	for _, text := range []string{"one", "two"} {
		if err := f.SaveMark([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := f.LoadMark(); string(got) != text || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("in the directory: %v, %v", files, err)
	}
	if info, err := os.Stat(string(f)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
	if err := File(filepath.Join(dir, "missing", "keyring.mark")).SaveMark(nil); err == nil {
		t.Error("a directory that is not there: no error")
	}
}
