package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretFiles: secrets as Kubernetes mounts them, with a byte order mark, and through links.
func TestSecretFiles(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "..2026_11_28")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string, mode fs.FileMode) string {
		path := filepath.Join(data, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("secret", "\xef\xbb\xbfhunter2\r\n", 0o440)
	if err := os.Symlink(data, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "secret")
	if err := os.Symlink(filepath.Join("..data", "secret"), link); err != nil {
		t.Fatal(err)
	}
	none := func(string) string { return "" }
	read, err := secretSource("redis.password_file", link, redisPasswordVariable, none)
	if err != nil {
		t.Fatalf("a Secret of Kubernetes: %v", err)
	}
	if got, err := read(); got != "hunter2" || err != nil {
		t.Errorf("a Secret of Kubernetes: got %q and error %v", got, err)
	}
	open := write("open", "hunter2", 0o444)
	if _, err := secretSource("redis.password_file", open, redisPasswordVariable, none); err == nil ||
		!strings.Contains(err.Error(), "redis.password_file") || !strings.Contains(err.Error(), redisPasswordVariable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret that everybody reads: got %v, want an error with the setting and the variable", err)
	}
	master := write("master.key", "\xef\xbb\xbfsignet_mk_"+strings.Repeat("A", 43)+"\r\n", 0o440)
	if _, err := readMasterKeys(master, none); err != nil {
		t.Errorf("a master key with a byte order mark: %v", err)
	}
	if err := os.Chmod(master, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := readMasterKeys(master, none); err == nil || !strings.Contains(err.Error(), "master_key_file") || !strings.Contains(err.Error(), masterKeyVariable) {
		t.Errorf("a master key that everybody reads: got %v, want an error with the setting and the variable", err)
	}
}

// TestPeerRule is the table of who may be at the other end of the admin socket.
func TestPeerRule(t *testing.T) {
	for _, test := range []struct {
		name string
		rule peerRule
		peer uint32
		good bool
	}{
		{"root", peerRule{caller: 1000, owner: 1000}, 0, true},
		{"the caller", peerRule{caller: 1000, owner: 1001}, 1000, true},
		{"a stranger in their own directory", peerRule{caller: 1000, owner: 1001}, 1001, false},
		{"the owner of a directory that was named", peerRule{caller: 1000, owner: 998, named: true}, 998, true},
		{"another than the owner", peerRule{caller: 1000, owner: 998, named: true}, 1001, false},
		{"the variable names it", peerRule{caller: 1000, owner: 998, named: true, extra: "1001"}, 1001, true},
		{"the variable names another", peerRule{caller: 1000, owner: 998, named: true, extra: "1002"}, 1001, false},
		{"the variable names nobody", peerRule{caller: 1000, owner: 998, named: true, extra: "no such user"}, 1001, false},
		{"root does not obey a stranger's directory", peerRule{caller: 0, owner: 1001}, 1001, false},
	} {
		if err := test.rule.check("admin.sock", test.peer); (err == nil) != test.good {
			t.Errorf("%s: got %v, want good: %v", test.name, err, test.good)
		}
	}
}
