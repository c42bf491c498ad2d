package e2e

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/pkcs11"
	"signet/keys/privatekey"
	"signet/store"
	"signet/store/bolt"
	"signet/store/seal"
)

// elsewhere is a provider that calls itself an HSM and makes keys that cannot be used.
type elsewhere struct{}

func (elsewhere) Name() string { return pkcs11.Name }

func (elsewhere) NewKey(context.Context, string) (string, crypto.PublicKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", nil, err
	}
	return "01", &key.PublicKey, nil
}

func (elsewhere) Signer(string, crypto.PublicKey) crypto.Signer { return nil }

func (elsewhere) Discard(context.Context, string) error { return errors.New("not here") }

// installElsewhere is an install whose signing keys are in an HSM that is not configured.
func installElsewhere(t *testing.T) (dir, configFile string) {
	t.Helper()
	dir, configFile = install(t, "")
	path := filepath.Join(dir, "signet.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	master := masterKeysOf(t, dir)
	db, err := bolt.Open(path, bolt.Options{Create: true, Seals: seal.New(master)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.CreateInstall(t.Context(), store.Install{ID: "elsewhere", Schema: bolt.Schema, CreatedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := keys.Init(t.Context(), keys.Config{Storage: db, InstallID: "elsewhere", Master: master, Remote: privatekey.Remote{Provider: elsewhere{}}}); err != nil {
		t.Fatal(err)
	}
	return dir, configFile
}

// keyringIn reads the sealed keyring of a store that is not open.
func keyringIn(t *testing.T, dir string) (version uint64, document string) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, "signet.db"), bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	version, data, err := db.LoadKeyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return version, string(data)
}

func TestKeysInHSMNeedIt(t *testing.T) {
	t.Parallel()
	dir, configFile := installElsewhere(t)
	version, document := keyringIn(t, dir)
	for _, command := range []string{"serve", "doctor"} {
		out, stderr, code := runSignet(t, "", command, "--config", configFile)
		said := out + stderr
		if code != 1 || !strings.Contains(said, "some signing keys are in an HSM") || !strings.Contains(said, "set keys.hsm") {
			t.Errorf("%s: got %d\n%s", command, code, said)
		}
		if !pkcs11.Built && !strings.Contains(said, "go build -tags pkcs11") {
			t.Errorf("%s does not say which build it takes:\n%s", command, said)
		}
	}
	if v, d := keyringIn(t, dir); v != version || d != document {
		t.Errorf("the keyring was changed: version %d, was %d", v, version)
	}
}

func TestHSMSettingsThatCannotWork(t *testing.T) {
	for _, tc := range []struct {
		name, pin, want string
		built           bool // the message of a build with PKCS#11
	}{
		{"a build without", "1234", "this build has no PKCS#11; build with -tags pkcs11", false},
		{"no PIN", "", "there is no PIN", true},
		{"no module", "1234", "/nowhere.so", true},
	} {
		if tc.built != pkcs11.Built {
			continue
		}
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("SIGNET_HSM_PIN", tc.pin)
			dir := filepath.Join(t.TempDir(), "x")
			_, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--hsm-module", "/nowhere.so", "--hsm-token", "x")
			if code != 1 || !strings.Contains(stderr, tc.want) {
				t.Errorf("init: got %d %s", code, stderr)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("init left its directory: %v", err)
			}
			_, configFile := install(t, "keys: {hsm: {module: /nowhere.so, token: x}}\n")
			for _, command := range [][]string{{"config", "check"}, {"serve"}} {
				if tc.name == "no module" && len(command) == 2 {
					continue // which is found out by loading it
				}
				if _, stderr, code := runSignet(t, "", append(command, "--config", configFile)...); code != 1 || !strings.Contains(stderr, tc.want) {
					t.Errorf("%v: got %d %s", command, code, stderr)
				}
			}
		})
	}
	if _, stderr, code := runSignet(t, "", "init", "--dir", t.TempDir(), "--issuer", "https://auth.example.com", "--hsm-token", "x"); code != 2 || !strings.Contains(stderr, "--hsm-module") {
		t.Errorf("a token without its module: got %d %s", code, stderr)
	}
}
