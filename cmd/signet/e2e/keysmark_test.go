package e2e

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"signet/store/redis/redistest"
)

// startFails runs `signet serve` on the directory, wants it to end at once with one line, and returns that.
func startFails(t *testing.T, dir string) string {
	t.Helper()
	_, stderr, code := runSignet(t, "", "serve", "--config", filepath.Join(dir, "signet.yaml"))
	at := strings.LastIndex(stderr, "signet: serve:")
	if code != exitFailed || at < 0 || strings.Count(stderr[at:], "\n") != 1 {
		t.Fatalf("serve: got %d %q, want it to fail with one line", code, stderr)
	}
	return stderr[at:]
}

// TestOldKeyringAtAColdStart: the keys are revoked, everything stops, and the old sealed document is put
// back. No server starts on it; restore puts it right, and the key stays revoked.
func TestOldKeyringAtAColdStart(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 2, "redis://"+server.Addr())
	r := f.replicas[0]
	leaked := r.keyring().signer()
	const key = "signet:install:{i}:keyring"
	old, fields := server.Do("dump", key).(string), server.Do("hmget", key, "version", "document")
	r.admin("", "keys", "revoke", "--emergency", "--wait", leaked)
	for _, r := range f.replicas {
		if r.publishes(leaked) {
			t.Fatal("the key was not revoked")
		}
		r.stop()
	}
	server.Do("restore", key, "0", old, "replace")
	for _, r := range f.replicas {
		if text := startFails(t, r.dir()); !strings.Contains(text, "the store was set back") || !strings.Contains(text, "signet restore") {
			t.Errorf("got %q", text)
		}
	}
	if !reflect.DeepEqual(server.Do("hmget", key, "version", "document"), fields) { // a dump has the fields in any order
		t.Error("a start that failed has changed the keyring")
	}
}

// TestMarkOfAnotherInstall: a data directory that was copied, and one whose master key changed.
func TestMarkOfAnotherInstall(t *testing.T) {
	t.Parallel()
	one, other := shortDir(t), shortDir(t)
	for _, dir := range []string{one, other} {
		signet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	}
	mark := filepath.Join(one, markName)
	if info, err := os.Stat(mark); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("init has written no mark of mode 0600: %v, %v", info, err)
	}
	own, err := os.ReadFile(mark)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(filepath.Join(other, markName))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ text, want string }{
		"of another install and master key": {string(foreign), "made with another master key, or was changed"},
		"changed":                           {strings.Replace(string(own), `"version":1`, `"version":0`, 1), "made with another master key, or was changed"},
		"cut":                               {string(own[:20]), "is damaged"},
		"empty":                             {"", "is damaged"},
	} {
		if tc.text == string(own) {
			t.Fatalf("%s: the mark was not changed", name)
		}
		if err := os.WriteFile(mark, []byte(tc.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if text := startFails(t, one); !strings.Contains(text, tc.want) || !strings.Contains(text, mark) {
			t.Errorf("%s: got %q, want %q and the file", name, text, tc.want)
		}
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	startReplica(t, one, os.Environ()).stop()
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("a start without a mark has written none: %v", err)
	}
}
