package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/audit"
)

// TestByteOrderMarks: text that other editors have written is read as it is meant.
func TestByteOrderMarks(t *testing.T) {
	const mark = "\xef\xbb\xbf"
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) string {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	app := &cli.App{}
	if got, err := cli.ReadSecret(strings.NewReader(mark + "correct horse\r\n")); got != "correct horse" || err != nil {
		t.Errorf("a password: got %q and error %v", got, err)
	}
	if got, err := readKeyFile(app, write(mark+`{"keys":[]}`+"\r\n")); string(got) != `{"keys":[]}`+"\r\n" || err != nil {
		t.Errorf("a key set: got %q and error %v", got, err)
	}
	app.In = strings.NewReader(mark + "a.b.c\r\n")
	if got, err := readToken(app, nil); got != "a.b.c" || err != nil {
		t.Errorf("a token: got %q and error %v", got, err)
	}
	line := mark + `{"seq":1,"at":"2026-11-28T10:00:00Z","type":"login","outcome":"ok"}` + "\r\n"
	if e, ok := audit.NewLogReader(nil, "install", time.Now()).Parse([]byte(line)); !ok || e.Type != "login" {
		t.Errorf("an audit event: got %+v, %v", e, ok)
	}
}
