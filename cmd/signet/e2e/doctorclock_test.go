package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDoctorOfTheClock: a clock that is behind what a server has seen stops all signing, and doctor names it.
func TestDoctorOfTheClock(t *testing.T) {
	clock := newSteppedClock(t)
	t.Setenv(clockFile, clock.path)
	dir := shortDir(t)
	config := filepath.Join(dir, "signet.yaml")
	signet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	r := startReplica(t, dir, append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_SHUTDOWN_DELAY=0s"))
	r.stop()
	for _, step := range []struct {
		by   time.Duration
		code int
		want string
	}{{0, exitDone, "it is not behind the latest time"}, {-50 * time.Second, exitDone, "it is not behind the latest time"},
		{-time.Hour, exitFailed, "behind the latest time that this server has seen"}} {
		clock.set(step.by)
		out, stderr, code := runSignet(t, "", "doctor", "--config", config)
		if code != step.code || !strings.Contains(out, step.want) {
			t.Errorf("%v: got %d, want %d and %q\n%s%s", step.by, code, step.code, step.want, out, stderr)
		}
	}
}

// TestStoreOfAnotherMasterKey: a store with throttle counts is not called damaged because its master key is not there.
func TestStoreOfAnotherMasterKey(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	config := filepath.Join(dir, "signet.yaml")
	signet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	r := startReplica(t, dir, append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_SHUTDOWN_DELAY=0s"))
	app := movingApp{t: t, address: r.address, secret: r.createClient("web")}
	app.ask("/token", "grant_type", "password", "username", "nobody", "password", "wrong")
	if listed := r.admin("", "throttle", "list", "-o", "json"); !strings.Contains(listed, `"failures"`) {
		t.Fatalf("nothing is counted: %s", listed)
	}
	r.stop()
	other := filepath.Join(shortDir(t), "other")
	signet(t, "", "init", "--dir", other, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	key, err := os.ReadFile(filepath.Join(other, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "master.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := runSignet(t, "", "serve", "--config", config)
	if code != exitFailed || !strings.Contains(stderr, "master key: it is not the one this store was made with") || strings.Contains(stderr, "the store is damaged") {
		t.Errorf("got %d %q", code, stderr)
	}
}

// TestDoctorOfDev: doctor and config check find what `signet dev` has made, and doctor names leftovers.
func TestDoctorOfDev(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	p := startDev(t, "signet-data")
	p.stop()
	if err := os.WriteFile(".copy.db.123456789", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runSignet(t, "", "doctor")
	if code != 0 || !strings.Contains(stdout, "signet-data/signet.db opens") || !strings.Contains(stdout, "./signet-data, which `signet dev` has made") ||
		!strings.Contains(stdout, ".copy.db.123456789 is left over") {
		t.Errorf("doctor exits with %d\n%s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := runSignet(t, "", "config", "check"); code != 0 || !strings.Contains(stdout, "the configuration is good") {
		t.Errorf("config check exits with %d\n%s%s", code, stdout, stderr)
	}
}
