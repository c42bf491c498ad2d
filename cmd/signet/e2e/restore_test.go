package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
	"signet/store/seal"
)

// disaster is an install, a backup of it, and what has happened after the backup.
type disaster struct {
	t       *testing.T
	dir     string
	config  string
	environ []string
	backup  string // of `signet backup`, or of `signet export` where the store is Redis
	log     string // what the server has logged in its life
	app     movingApp

	leaked       string // the kid that signed at the backup, revoked since
	ofLeaked     string // an access token of it
	keptRefresh  string // of a session that has gone on, as of the backup
	newerRefresh string // of the same, as of now
	newerAccess  string // of the same, signed by what signs after the revocation
	endedRefresh string // of a session that was ended since
	endedToken   string // an access token of bob's session, which was revoked by itself
	bobRefresh   string // of bob, who was disabled since
	coraRefresh  string // of cora, whose password was changed since

	trailLost       bool // the trail of the replaced store no longer has what happened
	newPasswordKept bool // the replaced store is read, so that cora's new password works
}

const newPassword = "seventeen lemons on the moon"

func (d *disaster) signet(stdin string, args ...string) string {
	d.t.Helper()
	return signet(d.t, stdin, append(args, "--config", d.config)...)
}

func (d *disaster) start() *replica {
	d.t.Helper()
	r := startReplica(d.t, d.dir, d.environ)
	d.app.address = r.address
	return r
}

func (d *disaster) loginAs(name, password string) (int, map[string]any) {
	return d.app.ask("/token", "grant_type", "password", "username", name, "password", password)
}

// happen makes the install and lets everything happen. It leaves the server stopped.
func happen(t *testing.T, storeURL string) *disaster { return happenThrough(t, storeURL, func() {}) }

// happenThrough is happen, and does something right after the backup.
func happenThrough(t *testing.T, storeURL string, afterBackup func()) *disaster {
	d := &disaster{t: t, dir: shortDir(t)}
	d.environ = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_SHUTDOWN_DELAY=0s", "SIGNET_KEYS_POLL=1s", "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168", "SIGNET_PASSWORD_ARGON2_TIME=1")
	d.config = filepath.Join(d.dir, "signet.yaml")
	signet(t, "", "init", "--dir", d.dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0", "--store", storeURL)
	r := d.start()
	d.app = movingApp{t: t, address: r.address, secret: r.createClient("web", "--introspect")}
	for _, name := range []string{"ada", "bob", "cora"} {
		d.signet(movingPassword+"\n", "user", "create", "--username", name, "--password-stdin")
	}
	_, d.keptRefresh = d.app.login()
	d.ofLeaked, d.endedRefresh = d.app.login()
	tokensOf := func(name string) (access, refresh string) {
		_, body := d.loginAs(name, movingPassword)
		return body["access_token"].(string), body["refresh_token"].(string)
	}
	d.endedToken, d.bobRefresh = tokensOf("bob")
	_, d.coraRefresh = tokensOf("cora")
	d.leaked = r.keyring().signer()
	d.backUp(r, storeURL)
	afterBackup()

	d.app.ask("/revoke", "token", d.endedToken)
	d.app.ask("/revoke", "token", d.endedRefresh)
	d.signet("", "keys", "revoke", "--emergency", d.leaked)
	d.newerAccess, d.newerRefresh = d.app.token("grant_type", "refresh_token", "refresh_token", d.keptRefresh)
	d.newerAccess, d.newerRefresh = d.app.token("grant_type", "refresh_token", "refresh_token", d.newerRefresh)
	d.signet("", "user", "disable", "bob")
	d.signet(newPassword+"\n", "user", "set-password", "cora", "--password-stdin")
	d.signet(movingPassword+"\n", "user", "create", "--username", "dora", "--password-stdin")
	d.signet("", "client", "create", "--id", "late", "--public", "--grant", "password")
	d.app.login()
	if r.publishes(d.leaked) {
		t.Fatal("the leaked key is not revoked to begin with")
	}
	if code := r.stop(); code != exitDone {
		t.Fatalf("the server exited with %d", code)
	}
	d.log = filepath.Join(d.dir, "server.log")
	write(t, d.log, r.stderr.String())
	return d
}

func (d *disaster) backUp(r *replica, storeURL string) {
	if strings.HasPrefix(storeURL, "bolt:") {
		d.backup = filepath.Join(d.dir, "backup.db")
		d.signet("", "backup", d.backup)
		return
	}
	d.backup = filepath.Join(d.dir, "backup.ndjson")
	d.signet("", "export", d.backup)
}

// restore runs the command and returns its report.
func (d *disaster) restore(args ...string) restoreReport {
	d.t.Helper()
	before, _ := os.ReadFile(d.backup)
	out := d.signet("", append([]string{"restore", d.backup, "-o", "json"}, args...)...)
	var report restoreReport
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		d.t.Fatalf("%v in %s", err, out)
	}
	if after, _ := os.ReadFile(d.backup); !bytes.Equal(before, after) {
		d.t.Error("the backup was changed")
	}
	return report
}

// check uses the restored install: what was revoked is, and everything else goes on.
func (d *disaster) check(r *replica) {
	t := d.t
	t.Helper()
	if r.publishes(d.leaked) {
		t.Error("the revoked key is in the key set")
	}
	if kid := r.keyring().signer(); kid == d.leaked || kid == "" {
		t.Errorf("%q signs", kid)
	}
	d.app.wantActive("a token of the revoked key", d.ofLeaked, false)
	d.app.wantActive("the token revoked by itself", d.endedToken, false)
	d.app.wantRefused("the session that was ended", d.endedRefresh)
	d.app.wantRefused("the session of a disabled user", d.bobRefresh)
	d.app.wantRefused("the session of before a new password", d.coraRefresh)
	access, refresh := d.app.token("grant_type", "refresh_token", "refresh_token", d.newerRefresh)
	d.app.wantActive("a token of the session that went on", access, true)
	d.app.token("grant_type", "refresh_token", "refresh_token", refresh)
	if d.newPasswordKept {
		if status, body := d.loginAs("cora", newPassword); status != http.StatusOK {
			t.Errorf("cora with the password that the replaced store has: got %d %v", status, body)
		}
	}
	for name, password := range map[string]string{"bob": movingPassword, "cora": movingPassword, "Cora": newPassword} {
		if d.newPasswordKept && name == "Cora" {
			continue
		}
		if status, body := d.loginAs(name, password); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("login of %s: got %d %v, want invalid_grant", name, status, body)
		}
	}
	access, _ = d.app.login()
	d.app.wantActive("a new token", access, true)
	r.admin(newPassword+"\n", "user", "set-password", "cora", "--password-stdin")
	if status, body := d.loginAs("cora", newPassword); status != http.StatusOK {
		t.Errorf("cora with a password that was set anew: got %d %v", status, body)
	}
	onTrail := []string{"user.disable", "restore"}
	if d.trailLost {
		onTrail = []string{"restore"}
	}
	for _, kind := range onTrail {
		if events := r.admin("", "audit", "list", "--type", kind, "-o", "json"); !strings.Contains(events, `"`+kind+`"`) {
			t.Errorf("%s in the trail: got %s", kind, events)
		}
	}
}

// pushOffTheTrail replaces the events of the store by newer ones of the same kinds, about nobody. What the
// events were about stays as it is in the records.
func (d *disaster) pushOffTheTrail() {
	t := d.t
	t.Helper()
	d.trailLost = true
	s, err := bolt.Open(filepath.Join(d.dir, "signet.db"), bolt.Options{AuditEvents: 100, Seals: seal.New(masterKeysOf(t, d.dir))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sub := store.UserID{99}.String()
	var others []store.Event
	for _, kind := range []string{"user.disable", "user.set_password", "session.revoke_all", "revoke", "refresh_reuse", "keys.revoke", "key.revoked", "client.disable"} {
		for range 200 {
			others = append(others, store.Event{At: time.Now(), Type: kind, Outcome: "ok", Subject: sub, ClientID: "nobody"})
		}
	}
	about := func() (left []string) {
		for _, kind := range []string{"user.disable", "user.set_password", "revoke", "keys.revoke"} {
			events, err := s.Events(t.Context(), store.EventQuery{Types: []string{kind}, Limit: 1000})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.RequestID != "" {
					left = append(left, e.Type)
				}
			}
		}
		return left
	}
	if len(about()) == 0 {
		t.Fatal("the trail does not have the revocations to begin with")
	}
	for range 20 {
		if err := s.AppendEvents(t.Context(), others); err != nil {
			t.Fatal(err)
		}
		if err := s.Flush(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
		if len(about()) == 0 {
			return
		}
	}
	t.Fatalf("still on the trail: %v", about())
}

func (d *disaster) wantReport(r restoreReport) {
	t := d.t
	t.Helper()
	k, l := r.Kept, r.Lost
	passwords := k.Passwords // void where only an event is known, and the new one where the store was read
	if d.newPasswordKept {
		passwords = k.NewPasswords
	}
	if got, want := fmt.Sprint(k.Sessions, k.Tokens, k.DisabledUsers, passwords, l.Clients), "3 1 [bob] [cora] [late]"; got != want {
		t.Errorf("kept and lost: got %s, want %s", got, want)
	}
	if l.Logins != 1 || len(l.Users) != 1 {
		t.Errorf("lost: got %+v, want one login and one user", l)
	}
	if len(r.Keyring.Rotations)+len(r.Keyring.Revoked) == 0 {
		t.Errorf("the keyring: got %+v, want another key to sign", r.Keyring)
	}
}

// TestRestore puts a backup back that is older than revocations, with each of the ways to know of them.
func TestRestore(t *testing.T) {
	t.Parallel()
	t.Run("the store that is replaced knows", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		d.newPasswordKept = true
		report := d.restore()
		d.wantReport(report)
		if got := report.Lost.Users; fmt.Sprint(got) != "[dora]" {
			t.Errorf("users made since: got %v, want dora", got)
		}
		if _, err := os.Stat(report.MovedAside); err != nil || !strings.HasPrefix(report.MovedAside, filepath.Join(d.dir, "signet.db.before-restore-")) {
			t.Errorf("the store from before: %q, %v", report.MovedAside, err)
		}
		r := d.start()
		d.check(r)
		d.app.wantActive("a token that was signed since the backup", d.newerAccess, true)
		if _, stderr, code := runSignet(t, "", "restore", d.backup, "--config", d.config); code != exitFailed || !strings.Contains(stderr, "stop the server first, nothing was changed") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("a restore while the server runs: got %d %q", code, stderr)
		}
		r.stop()
		signet(t, "", "doctor", "--config", d.config)
	})
	t.Run("the trail of the store that is replaced is full of other events", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		d.newPasswordKept = true
		d.pushOffTheTrail()
		report := d.restore()
		if len(report.Gaps) != 1 || !strings.Contains(report.Gaps[0], "no longer has") {
			t.Errorf("gaps: got %q", report.Gaps)
		}
		if k := report.Kept; fmt.Sprint(k.Sessions, k.Tokens, k.DisabledUsers, k.NewPasswords) != "3 1 [bob] [cora]" {
			t.Errorf("kept: got %+v", k)
		}
		d.check(d.start())
	})
	t.Run("the log knows", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		write(t, filepath.Join(d.dir, "signet.db"), "ruined")
		report := d.restore("--audit-log", d.log)
		d.wantReport(report)
		if report.Unread == "" || fmt.Sprint(report.Keyring.Revoked) != "["+d.leaked+"]" {
			t.Errorf("report: got %+v", report)
		}
		if data, err := os.ReadFile(report.MovedAside); err != nil || string(data) != "ruined" {
			t.Errorf("the store from before: got %q, %v", data, err)
		}
		d.check(d.start())
	})
	t.Run("an export into Redis", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		archive := filepath.Join(d.dir, "backup.ndjson")
		d.signet("", "export", "--store", "bolt:"+d.backup, archive)
		d.backup = archive
		server := redistest.Start(t, redistest.Config{Persist: true})
		setStore(t, d.config, "redis://"+server.Addr())
		d.wantReport(d.restore("--audit-log", d.log))
		d.check(d.start())
		if _, stderr, code := runSignet(t, "", "restore", d.backup, "--config", d.config); code != exitFailed || !strings.Contains(stderr, "a backup goes only where no clients, users and sessions are") {
			t.Errorf("a second restore: got %d %q", code, stderr)
		}
	})
	t.Run("a copy of a Redis that was emptied knows", func(t *testing.T) {
		server := redistest.Start(t, redistest.Config{Persist: true})
		d := happen(t, "redis://"+server.Addr())
		d.newPasswordKept = true
		last := filepath.Join(d.dir, "last.ndjson")
		d.signet("", "export", last)
		server.Do("flushall")
		report := d.restore("--replaced", last)
		d.wantReport(report)
		if fmt.Sprint(report.Knew) != "["+last+"]" {
			t.Errorf("known from %v", report.Knew)
		}
		d.check(d.start())
		if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "signet-restore-*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("the data directory knows of the keys", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		if err := os.Remove(filepath.Join(d.dir, "signet.db")); err != nil {
			t.Fatal(err)
		}
		out := d.signet("", "restore", d.backup)
		for _, want := range []string{"restored ", filepath.Join(d.dir, markName), d.leaked} {
			if !strings.Contains(out, want) {
				t.Errorf("the report does not say %q:\n%s", want, out)
			}
		}
		if r := d.start(); r.publishes(d.leaked) {
			t.Error("the key that was revoked after the backup is published again")
		}
	})
	t.Run("nobody knows", func(t *testing.T) {
		d := happen(t, "bolt:signet.db")
		for _, name := range []string{"signet.db", markName} {
			if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		out := d.signet("", "restore", d.backup)
		for _, want := range []string{"restored ", "there was no store that could be read", "in place of " + d.leaked, "Revoke it again"} {
			if !strings.Contains(out, want) {
				t.Errorf("the report does not say %q:\n%s", want, out)
			}
		}
		r := d.start()
		if kid := r.keyring().signer(); kid == d.leaked {
			t.Error("the key that signed at the backup signs again")
		}
		d.app.token("grant_type", "refresh_token", "refresh_token", d.endedRefresh)
	})
}

// TestRehearsal: nothing that a rehearsal signs or starts is good in the install that it was copied from.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	d := happen(t, "bolt:signet.db")
	production := d.start()
	kids := production.keyring()
	elsewhere := filepath.Dir(copyInstall(t, d.dir, "signet.yaml", "master.key"))
	config, own := d.config, d.app
	d.config = filepath.Join(elsewhere, "signet.yaml")
	report := d.restore("--rehearsal")
	if !report.Rehearsal || report.LeftOut == 0 || report.Counts.Sessions != 0 || report.Counts.Users == 0 {
		t.Errorf("report: got %+v", report)
	}
	r := startReplica(t, elsewhere, d.environ)
	for _, key := range kids.Keys {
		if r.publishes(key.ID) {
			t.Errorf("the rehearsal publishes %s, a key of the install that it was copied from", key.ID)
		}
	}
	d.app.address = r.address
	d.app.wantRefused("a session of the install, in the rehearsal", d.keptRefresh)
	access, refresh := d.app.login()
	d.app.wantActive("a token of the rehearsal, there", access, true)
	d.config, d.app = config, own
	d.app.wantActive("a token of the rehearsal, in the install", access, false)
	d.app.wantRefused("a session of the rehearsal, in the install", refresh)
	d.app.login()
}

// TestRestoreBesideARunningReplica: Redis is wiped, and the servers that are running know the newest
// keyring: it wins, whether they write it back before the restore or after it.
func TestRestoreBesideARunningReplica(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	proxy := network.NewProxy(t, server.Addr())
	d := happen(t, "redis://"+server.Addr())
	running := filepath.Dir(copyInstall(t, d.dir, "signet.yaml", "master.key"))
	text, err := os.ReadFile(filepath.Join(running, "signet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(running, "signet.yaml"), strings.Replace(string(text), server.Addr(), proxy.Addr(), 1))
	r := startReplica(t, running, d.environ)
	d.app.address = r.address

	t.Run("written back before", func(t *testing.T) {
		d.t, d.app.t = t, t
		before := r.keyring().Version
		server.Do("flushall")
		waitFor(t, "the keyring to be written back", func() bool { return r.keyring().Version > before })
		report := d.restore("--audit-log", d.log)
		if !report.NewerKeyring || report.Keyring.Version <= before {
			t.Errorf("report: got %+v, want the replica's keyring", report.Keyring)
		}
		waitFor(t, "the replica to follow", func() bool { return r.keyring().Version >= report.Keyring.Version })
		d.check(r)
	})
	t.Run("written back after", func(t *testing.T) {
		d.t, d.app.t = t, t
		signs, before := r.keyring().signer(), r.keyring().Version
		proxy.Cut()
		server.Do("flushall")
		report := d.restore() // without the log, it does not know of the revocation
		if report.Keyring.Version > before {
			t.Fatalf("version %d was restored, the replica has %d: the test proves nothing", report.Keyring.Version, before)
		}
		proxy.Heal()
		waitFor(t, "the keyring to be written back", func() bool { return r.keyring().Version > before })
		if kid := r.keyring().signer(); kid != signs || r.publishes(d.leaked) {
			t.Errorf("%s signs, want %s; the revoked key is published: %v", kid, signs, r.publishes(d.leaked))
		}
		fresh := d.start()
		if fresh.publishes(d.leaked) || fresh.keyring().signer() != signs {
			t.Error("a fresh replica has the backup's keyring")
		}
		d.app.wantActive("a token of the revoked key", d.ofLeaked, false)
	})
}

// TestRestoreRefuses: each thing that cannot be restored is one line, and nothing is changed.
func TestRestoreRefuses(t *testing.T) {
	d := happen(t, "bolt:signet.db")
	db := filepath.Join(d.dir, "signet.db")
	before, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(d.backup)
	if err != nil {
		t.Fatal(err)
	}
	in := func(name, text string) string {
		path := filepath.Join(d.dir, name)
		write(t, path, text)
		return path
	}
	archive := filepath.Join(d.dir, "good.ndjson")
	d.signet("", "export", "--store", "bolt:"+d.backup, archive)
	lines, err := os.ReadFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(shortDir(t), "other")
	signet(t, "", "init", "--dir", other, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0")
	otherKey, err := os.ReadFile(filepath.Join(other, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	master := strings.TrimSpace(string(otherKey))
	for _, tc := range []struct {
		name, file, want string
		env              string
		code             int
		more             []string
	}{
		{"no such file", filepath.Join(d.dir, "missing"), "no such file", "", exitFailed, nil},
		{"the store itself", db, "is the store itself", "", exitMisuse, nil},
		{"an empty file", in("empty", ""), "is empty", "", exitFailed, nil},
		{"something else", in("else", "#!/bin/sh\necho this is none\n"), "is neither what `signet backup` writes nor what `signet export` does", "", exitFailed, nil},
		{"half a backup", in("half.db", string(good[:len(good)/2])), "the backup is damaged", "", exitFailed, nil},
		{"half an export", in("half.ndjson", string(lines[:len(lines)-100])), "it is cut short", "", exitFailed, nil},
		{"an export that was altered", in("altered.ndjson", strings.Replace(string(lines), `"username":"bob"`, `"username":"eve"`, 1)), "the digest is not that of the lines before it", "", exitFailed, nil},
		{"another master key", d.backup, "master key: it is not the one of this backup", "SIGNET_MASTER_KEY=" + master, exitFailed, nil},
		{"another install's", filepath.Join(other, "signet.db"), "master key: it is not the one of this backup", "", exitFailed, nil},
		{"a log that is none", d.backup, "there is no audit event in", "", exitFailed, []string{"--audit-log", d.config}},
		{"a log that is not there", d.backup, "reading the audit log", "", exitFailed, []string{"--audit-log", "missing.log"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.env != "" {
				name, value, _ := strings.Cut(tc.env, "=")
				t.Setenv(name, value)
			}
			out, stderr, code := runSignet(t, "", append([]string{"restore", "--config", d.config, tc.file}, tc.more...)...)
			if code != tc.code || out != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, tc.want) {
				t.Errorf("got %d %q %q, want one line with %q", code, out, stderr, tc.want)
			}
			if after, err := os.ReadFile(db); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the store was changed: %v", err)
			}
			left, _ := filepath.Glob(filepath.Join(d.dir, "signet.db?*"))
			if len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	t.Run("a document that does not open, at the start of a server", func(t *testing.T) {
		t.Setenv("SIGNET_MASTER_KEY", master)
		out, stderr, code := runSignet(t, "", "serve", "--config", d.config)
		if code != exitFailed || out != "" || !strings.Contains(stderr, "master key: it is not the one this store was made with") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("got %d %q", code, stderr)
		}
		if after, err := os.ReadFile(db); err != nil || !bytes.Equal(before, after) {
			t.Errorf("the store was changed: %v", err)
		}
	})
}
