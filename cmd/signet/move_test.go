package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt"
)

const movingPassword = "violet tractor under seven moons"

// movingApp is the one client of an install that moves.
type movingApp struct {
	t       *testing.T
	address string
	secret  string
}

func (m movingApp) ask(path string, pairs ...string) (int, map[string]any) {
	m.t.Helper()
	form := url.Values{"client_id": {"web"}, "client_secret": {m.secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return post(m.t, "http://"+m.address+path, form)
}

func (m movingApp) token(pairs ...string) (access, refresh string) {
	m.t.Helper()
	status, body := m.ask("/token", pairs...)
	if status != http.StatusOK {
		m.t.Fatalf("%v: got %d %v", pairs, status, body)
	}
	return body["access_token"].(string), body["refresh_token"].(string)
}

func (m movingApp) login() (access, refresh string) {
	m.t.Helper()
	return m.token("grant_type", "password", "username", "ada", "password", movingPassword)
}

func (m movingApp) wantActive(what, token string, want bool) {
	m.t.Helper()
	status, body := m.ask("/introspect", "token", token)
	if status != http.StatusOK || body["active"] != want {
		m.t.Errorf("%s: introspection says %d %v, want active %v", what, status, body, want)
	}
}

func (m movingApp) wantRefused(what, refresh string) {
	m.t.Helper()
	if status, body := m.ask("/token", "grant_type", "refresh_token", "refresh_token", refresh); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		m.t.Errorf("%s: got %d %v, want invalid_grant", what, status, body)
	}
}

// signet runs a command that must do its work.
func signet(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, stderr, code := runSignet(t, stdin, args...)
	if code != 0 {
		t.Fatalf("signet %v: %d\n%s%s", args, code, out, stderr)
	}
	return out
}

// TestMoveKeepsEverybodySignedIn moves an install with all that apps hold of it: what worked before
// works after, what was revoked stays revoked.
func TestMoveKeepsEverybodySignedIn(t *testing.T) {
	oldDir, oldConfig := install(t, "")
	p, address := startServe(t, oldConfig)
	var client clientRecord
	made := signet(t, "", "client", "create", "--config", oldConfig, "--id", "web", "--grant", "password,refresh_token", "--introspect", "-o", "json")
	if err := json.Unmarshal([]byte(made), &client); err != nil {
		t.Fatal(err)
	}
	signet(t, movingPassword+"\n", "user", "create", "--config", oldConfig, "--username", "ada", "--password-stdin")

	before := movingApp{t, address, client.Secret}
	access, refresh := before.login()
	for range 3 {
		access, refresh = before.token("grant_type", "refresh_token", "refresh_token", refresh)
	}
	_, signedOut := before.login()
	before.ask("/revoke", "token", signedOut)
	revoked, keptBy := before.login()
	before.ask("/revoke", "token", revoked)
	before.wantActive("before the move", revoked, false)

	archive := filepath.Join(t.TempDir(), "signet.ndjson")
	_, stderr, code := runSignet(t, "", "export", "--config", oldConfig, archive)
	if code != exitFailed || !strings.Contains(stderr, "in use by another process; stop the server, or export from a copy of it: `signet backup copy.db`") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("export of a running server: got %d %q", code, stderr)
	}
	if code := p.stop(); code != exitDone {
		t.Fatalf("the old server: exited with %d\n%s", code, p.stderr)
	}
	signet(t, "", "export", "--config", oldConfig, archive)
	if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the archive: got %v, %v, want mode 0600", info, err)
	}

	newConfig := copyInstall(t, oldDir, "signet.yaml", "master.key")
	signet(t, "", "import", "--config", newConfig, archive)
	_, address = startServe(t, newConfig)
	after := movingApp{t, address, client.Secret}
	if out, stderr, code := runSignet(t, access, "token", "inspect", "--jwks", "http://"+address+"/.well-known/jwks.json"); code != 0 || !strings.Contains(out, "signature  valid") {
		t.Errorf("the old access token against the new key set: got %d\n%s%s", code, out, stderr)
	}
	after.wantActive("the old access token", access, true)
	after.wantActive("the token revoked by itself", revoked, false)
	after.wantRefused("the session that was signed out", signedOut)
	next, refresh2 := after.token("grant_type", "refresh_token", "refresh_token", refresh)
	after.wantActive("a token that came of the old refresh token", next, true)
	after.token("grant_type", "refresh_token", "refresh_token", refresh2)
	after.token("grant_type", "refresh_token", "refresh_token", keptBy)
	after.login()
	after.wantRefused("a refresh token from long before", refresh)
	if events := signet(t, "", "audit", "list", "--config", newConfig, "--type", "client.create", "-o", "json"); !strings.Contains(events, `"web"`) {
		t.Errorf("the audit trail from before: got %s", events)
	}
}

// copyInstall makes a new directory with some files of another.
func copyInstall(t *testing.T, from string, names ...string) (configFile string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "signet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(data))
	}
	return filepath.Join(dir, "signet.yaml")
}

// sessionsOf is n sessions, ten a user.
func sessionsOf(n int) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		for i := range n {
			user := store.UserID{byte(i / 10 >> 16), byte(i / 10 >> 8), byte(i / 10), 1}
			if i%10 == 0 {
				u := store.User{ID: user, Username: fmt.Sprintf("user%d", i/10), PasswordHash: "$argon2id$" + strings.Repeat("x", 80), CreatedAt: now, UpdatedAt: now}
				if !yield(store.Record{User: &u}, nil) {
					return
				}
			}
			s := store.Session{ID: store.SessionID{byte(i * 7), byte(i), byte(i >> 8), byte(i >> 16), 1}, UserID: user, ClientID: "web", Generation: uint32(i), StartedAt: now, RotatedAt: now}
			if !yield(store.Record{Session: &s}, nil) {
				return
			}
		}
	}
}

// TestMoveAMillionSessions holds a few of them in memory at a time.
func TestMoveAMillionSessions(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 200_000
	}
	if raceEnabled() {
		n = 50_000 // looks for races, not for memory, and takes ten times as long
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	phase := func(what string, work func()) {
		t.Helper()
		before, began := liveHeap(), time.Now()
		peak := watchHeap(work)
		t.Logf("%s: %d sessions in %v, heap %d MiB above %d MiB", what, n, time.Since(began).Round(time.Millisecond), (peak-min(peak, before))>>20, before>>20)
		if limit := before + 64<<20; peak > limit {
			t.Errorf("%s: the heap grew to %d MiB, want at most %d", what, peak>>20, limit>>20)
		}
	}
	phase("making", func() {
		if err := bolt.Import(t.Context(), in("old.db"), archiveFoundation, sessionsOf(n)); err != nil {
			t.Fatal(err)
		}
	})
	phase("export", func() { runHere(t, "export", "--store", "bolt:"+in("old.db"), in("old.ndjson")) })
	phase("import", func() { runHere(t, "import", "--store", "bolt:"+in("new.db"), in("old.ndjson")) })
	phase("export again", func() { runHere(t, "export", "--store", "bolt:"+in("new.db"), in("new.ndjson")) })
	if err := sameRecords(in("old.ndjson"), in("new.ndjson")); err != nil {
		t.Error(err)
	}
}

// raceEnabled: the race detector makes everything several times slower.
func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// runHere runs the command line in this process.
func runHere(t *testing.T, args ...string) {
	t.Helper()
	var errs bytes.Buffer
	if code := run(t.Context(), args, stdio{strings.NewReader(""), io.Discard, &errs}, nil); code != exitDone {
		t.Fatalf("signet %v: %d\n%s", args, code, &errs)
	}
}

func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// watchHeap returns the most that was live while work ran, looking again and again.
func watchHeap(work func()) (peak uint64) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for every := time.NewTicker(100 * time.Millisecond); ; {
			peak = max(peak, liveHeap())
			select {
			case <-every.C:
			case <-ctx.Done():
				every.Stop()
				return
			}
		}
	}()
	func() {
		defer func() { stop(); <-done }() // also when work ends the test
		work()
	}()
	return peak
}

// sameRecords compares two archives without their headers, which say when they were made, and
// without their trailers, which have the digest of that.
func sameRecords(one, other string) error {
	a, err := os.ReadFile(one)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(other)
	if err != nil {
		return err
	}
	body := func(data []byte) []byte {
		_, rest, _ := bytes.Cut(data, []byte("\n"))
		return rest[:bytes.LastIndexByte(bytes.TrimSuffix(rest, []byte("\n")), '\n')]
	}
	if !bytes.Equal(body(a), body(b)) {
		return fmt.Errorf("%s and %s do not hold the same records", one, other)
	}
	return nil
}
