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
}

// TestFilesThatOthersMayWrite names each file of the configuration by which others could change what the server does.
func TestFilesThatOthersMayWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, set := range map[string]func(*config.Config){
		"tls.key":            func(c *config.Config) { c.TLS.Key = file },
		"redis.key":          func(c *config.Config) { c.Redis.Key = file },
		"redis.ca":           func(c *config.Config) { c.Redis.CA = file },
		"password.blocklist": func(c *config.Config) { c.Password.Blocklist = file },
		"users.upstream.key": func(c *config.Config) { c.Users.Upstream.Key = file },
		"users.upstream.ca":  func(c *config.Config) { c.Users.Upstream.CA = file },
	} {
		var c config.Config
		set(&c)
		for mode, refused := range map[os.FileMode]bool{0o600: false, 0o644: false, 0o606: true, 0o666: true} {
			if err := os.Chmod(file, mode); err != nil {
				t.Fatal(err)
			}
			err := CheckAccess(c)
			if refused != (err != nil) || refused && !strings.Contains(err.Error(), setting+": everybody may write") {
				t.Errorf("%s with mode %o: got %v", setting, mode, err)
			}
		}
	}
}
