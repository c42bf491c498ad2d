package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestByteOrderMarks: text that an editor has saved is read without its byte order mark.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	if got, err := ReadSecret(strings.NewReader(mark + "correct horse\r\n")); got != "correct horse" || err != nil {
		t.Errorf("a password: got %q and error %v", got, err)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(mark+`{"keys":[]}`+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadInput(&App{}, path); string(got) != `{"keys":[]}`+"\r\n" || err != nil {
		t.Errorf("a key set: got %q and error %v", got, err)
	}
}
