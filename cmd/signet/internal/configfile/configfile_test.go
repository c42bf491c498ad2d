package configfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/config"
)

// TestReadableTLSKey gets a warning before the start and at the start.
func TestReadableTLSKey(t *testing.T) {
	t.Parallel()
	key := filepath.Join(t.TempDir(), "privkey.pem")
	if err := os.WriteFile(key, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	var c config.Config
	c.TLS.Key, c.Redis.Key = key, key
	list := exposedKeys(c)
	if len(list) != 2 || !strings.HasPrefix(string(list[0]), "tls.key: everybody may read ") || !strings.HasPrefix(string(list[1]), "redis.key: ") {
		t.Errorf("got %q, want a warning for each key", list)
	}
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	if list := exposedKeys(c); len(list) > 0 {
		t.Errorf("got %q for a private file", list)
	}
	if err := os.Chmod(key, 0o606); err != nil {
		t.Fatal(err)
	}
	if err := CheckAccess(c); err == nil || !strings.Contains(err.Error(), "tls.key: everybody may write") {
		t.Errorf("a key that everybody may write to: got %v", err)
	}
}
