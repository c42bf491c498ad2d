package daemon

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A path that names something else by mistake, such as the master key, removes no file.
func TestAdminSocketReplacesNothingButASocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "signet") // t.TempDir may be longer than a socket's path may be
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "master.key")
	for _, row := range []struct {
		name, path string
		make       func(path string) error
	}{
		{"a file", file, func(path string) error { return os.WriteFile(path, []byte("secret"), 0o600) }},
		{"an empty directory", filepath.Join(dir, "empty"), func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a link to a file", filepath.Join(dir, "link"), func(path string) error { return os.Symlink(file, path) }},
	} {
		if err := row.make(row.path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(row.path)
		if err != nil {
			t.Fatal(err)
		}
		listener, err := listenAdmin(row.path)
		if err == nil {
			listener.Close()
			t.Errorf("%s: a listener took its place", row.name)
		} else if !strings.Contains(err.Error(), "is no socket; choose another path") {
			t.Errorf("%s: got %v", row.name, err)
		}
		if after, err := os.Lstat(row.path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it is gone: %v", row.name, err)
		}
	}

	left := filepath.Join(dir, "admin.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: left, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false) // as a process that was killed
	old.Close()
	listener, err := listenAdmin(left)
	if err != nil {
		t.Fatalf("what a killed server left: got %v", err)
	}
	listener.Close()
}
