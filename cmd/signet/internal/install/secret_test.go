package install

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
	if _, err := ReadMasterKeys(master, none); err != nil {
		t.Errorf("a master key with a byte order mark: %v", err)
	}
	if err := os.Chmod(master, 0o444); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadMasterKeys(master, none); err == nil || !strings.Contains(err.Error(), "master_key_file") || !strings.Contains(err.Error(), MasterKeyVariable) {
		t.Errorf("a master key that everybody reads: got %v, want an error with the setting and the variable", err)
	}
}
