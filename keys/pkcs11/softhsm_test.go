//go:build pkcs11 && cgo

package pkcs11

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"signet/keys"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/privatekey"
)

const (
	testLabel = "signet test"
	testPIN   = "12345678"
)

// softhsm is a token of SoftHSM in a directory of its own.
type softhsm struct {
	module, dir string
	pin         string // what Config.PIN answers
}

// newSoftHSM makes a token. Its library reads the environment when it is initialized, so tests that
// use one do not run in parallel.
func newSoftHSM(t *testing.T) *softhsm {
	t.Helper()
	h := &softhsm{dir: filepath.Join(t.TempDir(), "tokens"), pin: testPIN}
	for _, path := range []string{"/usr/lib/softhsm/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so"} {
		if _, err := os.Stat(path); err == nil {
			h.module = path
		}
	}
	if _, err := exec.LookPath("softhsm2-util"); err != nil || h.module == "" {
		missing := t.Skip
		if os.Getenv("CI") != "" {
			missing = t.Fatal
		}
		missing("there is no SoftHSM; apt-get install softhsm2")
	}
	config := filepath.Join(t.TempDir(), "softhsm2.conf")
	if err := os.Mkdir(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", h.dir), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", config)
	h.addToken(t, testLabel)
	return h
}

func (h *softhsm) addToken(t *testing.T, label string) {
	t.Helper()
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", testPIN, "--so-pin", "87654321").CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
}

func (h *softhsm) config() Config {
	return Config{Module: h.module, Token: testLabel, PIN: func() (string, error) { return h.pin, nil }}
}

// open opens the token until the test ends.
func (h *softhsm) open(t *testing.T) *token {
	t.Helper()
	opened, err := Open(h.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return opened.(*token)
}

// openKeys opens the keyring in s, and makes it before if there is none.
func openKeys(t *testing.T, s *keystest.Storage, provider privatekey.Provider, algs ...string) *keys.Manager {
	t.Helper()
	cfg := keys.Config{Storage: s, InstallID: "test", Master: []masterkey.Key{master}, Algorithms: algs, Remote: privatekey.Remote{Provider: provider}}
	if s.Version == 0 {
		if err := keys.Init(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
	}
	m, err := keys.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var master = masterkey.New()
