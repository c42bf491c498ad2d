package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/store/redis/redistest"
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

// TestMoveKeepsEverybodySignedIn moves an install with all that apps hold of it, from an embedded
// store to another and to Redis and back: what worked before works after, what was revoked stays revoked.
func TestMoveKeepsEverybodySignedIn(t *testing.T) {
	t.Parallel()
	t.Run("to another file", func(t *testing.T) { moveAlong(t, "bolt:signet.db") })
	t.Run("to Redis and back", func(t *testing.T) {
		server := redistest.Start(t, redistest.Config{Persist: true})
		moveAlong(t, "redis://"+server.Addr()+"/3", "bolt:signet.db")
	})
	t.Run("to a cluster", func(t *testing.T) {
		cluster := redistest.StartCluster(t, 3, 0)
		moveAlong(t, "redis+cluster://"+strings.Join(cluster.Addrs(), ","))
	})
}

// moveAlong moves an install from one store to the next, and uses it at each.
func moveAlong(t *testing.T, stores ...string) {
	dir, configFile := install(t, "")
	p, address := startServe(t, configFile)
	var client clientRecord
	made := signet(t, "", "client", "create", "--config", configFile, "--id", "web", "--grant", "password,refresh_token", "--introspect", "-o", "json")
	if err := json.Unmarshal([]byte(made), &client); err != nil {
		t.Fatal(err)
	}
	signet(t, movingPassword+"\n", "user", "create", "--config", configFile, "--username", "ada", "--password-stdin")

	app := movingApp{t, address, client.Secret}
	h := holdings{old: map[string]string{}}
	h.access, h.refresh = app.login()
	for range 3 {
		h.old["a refresh token from long before"] = h.refresh
		h.access, h.refresh = app.token("grant_type", "refresh_token", "refresh_token", h.refresh)
	}
	_, signedOut := app.login()
	app.ask("/revoke", "token", signedOut)
	h.old["the session that was signed out"] = signedOut
	h.revoked, h.keptBy = app.login()
	app.ask("/revoke", "token", h.revoked)
	app.wantActive("before the move", h.revoked, false)

	archive := filepath.Join(t.TempDir(), "signet.ndjson")
	_, stderr, code := runSignet(t, "", "export", "--config", configFile, archive)
	if code != exitFailed || !strings.Contains(stderr, "in use by another process; stop the server, or export from a copy of it: `signet backup copy.db`") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("export of a running server: got %d %q", code, stderr)
	}
	for _, next := range stores {
		if code := p.stop(); code != exitDone {
			t.Fatalf("the server before %s: exited with %d\n%s", next, code, p.stderr)
		}
		signet(t, "", "export", "--force", "--config", configFile, archive)
		if info, err := os.Stat(archive); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the archive: got %v, %v, want mode 0600", info, err)
		}
		configFile = copyInstall(t, dir, "signet.yaml", "master.key")
		setStore(t, configFile, next)
		signet(t, "", "import", "--config", configFile, archive)
		if _, stderr, code := runSignet(t, "", "import", "--config", configFile, archive); code != exitFailed || !strings.Contains(stderr, "an import goes only where nothing is") {
			t.Errorf("a second import: got %d %q, want a refusal", code, stderr)
		}
		p, app.address = startServe(t, configFile)
		h.check(app)
	}
	if events := signet(t, "", "audit", "list", "--config", configFile, "--type", "client.create", "-o", "json"); !strings.Contains(events, `"web"`) {
		t.Errorf("the audit trail from before: got %s", events)
	}
}

// holdings are what apps have in hand when their server moves.
type holdings struct {
	access, refresh string            // of a session that goes on
	revoked, keptBy string            // an access token that was revoked by itself, and its session's refresh token
	old             map[string]string // refresh tokens that are good no more
}

// check uses all of it at the new place. The old refresh tokens come last: presenting one that was
// rotated ends its session, and a new one begins.
func (h *holdings) check(app movingApp) {
	t := app.t
	t.Helper()
	if out, stderr, code := runSignet(t, h.access, "token", "inspect", "--jwks", "http://"+app.address+"/.well-known/jwks.json"); code != 0 || !strings.Contains(out, "signature  valid") {
		t.Errorf("the old access token against the new key set: got %d\n%s%s", code, out, stderr)
	}
	app.wantActive("the old access token", h.access, true)
	app.wantActive("the token revoked by itself", h.revoked, false)
	next, refresh := app.token("grant_type", "refresh_token", "refresh_token", h.refresh)
	app.wantActive("a token that came of the old refresh token", next, true)
	app.token("grant_type", "refresh_token", "refresh_token", refresh)
	_, h.keptBy = app.token("grant_type", "refresh_token", "refresh_token", h.keptBy)
	for what, token := range h.old {
		app.wantRefused(what, token)
	}
	h.access, h.refresh = app.login()
}

// setStore changes where a configuration keeps everything.
func setStore(t *testing.T, configFile, store string) {
	t.Helper()
	text, err := os.ReadFile(configFile)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), `store: "bolt:signet.db"`, fmt.Sprintf("store: %q", store), 1)
	if err := os.WriteFile(configFile, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
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
