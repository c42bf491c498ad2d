package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/keys/masterkey"
	"signet/store/redis/redistest"
)

// keysJSON runs a keys command against the replica and reads what it prints.
func (r *replica) keysJSON(into any, args ...string) {
	r.t.Helper()
	args = append(append([]string{"keys"}, args...), "-o", "json")
	if err := json.Unmarshal([]byte(r.admin("", args...)), into); err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) activeKID() string {
	r.t.Helper()
	var k keyring
	r.keysJSON(&k, "list")
	i := slices.IndexFunc(k.Keys, func(k keyRecord) bool { return k.State == "active" })
	if i < 0 {
		r.t.Fatalf("nothing signs: %+v", k.Keys)
	}
	return k.Keys[i].ID
}

// A key that is revoked at one process is out at all of them when --wait comes back, which is soon;
// a process that hangs is named.
func TestFleetRevokesAKey(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 3, "redis://"+server.Addr(), "SIGNET_KEYS_POLL=10s")
	access, refresh := f.login(f.replicas[1])
	kid := f.replicas[0].activeKID()
	begun := time.Now()
	var done revoked
	f.replicas[0].keysJSON(&done, "revoke", kid, "--emergency", "--wait")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("--wait took %v, want about a second", took)
	}
	if len(done.Have) != 3 || len(done.Behind) != 0 {
		t.Errorf("after --wait: %v have it, %v do not", done.Have, done.Behind)
	}
	for i, r := range f.replicas {
		if active := r.must("/introspect", f.token(access))["active"]; active != false {
			t.Errorf("replica %d: a token of the revoked key: got active %v", i, active)
		}
		if set := get(t, "http://"+r.address+"/.well-known/jwks.json"); strings.Contains(set, kid) {
			t.Errorf("replica %d still publishes the key: %s", i, set)
		}
		body := r.must("/token", f.app.refresh(refresh))
		refresh = body["refresh_token"].(string)
		if active := r.must("/introspect", f.token(body["access_token"].(string)))["active"]; active != true {
			t.Errorf("replica %d: a token of the new key: got active %v", i, active)
		}
	}

	f.replicas[2].kill()
	cmd := exec.Command(signetBinary(t), "keys", "revoke", f.replicas[0].activeKID(), "--emergency", "--wait", "--timeout", "4s",
		"--socket", f.replicas[0].demo.AdminSocket)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(string(out), "2 of 3 have it; not yet: ") || !strings.Contains(string(out), "after 4s 1 replica does not have version") {
		t.Errorf("with a dead replica: got %v\n%s", err, out)
	}
}

func get(t testing.TB, url string) string {
	t.Helper()
	res, err := fleetClient.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %d", url, res.StatusCode)
	}
	var set json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&set); err != nil {
		t.Fatal(err)
	}
	return string(set)
}

// The operator's way to a new master key, with two processes: nobody is signed out, and a process
// with a wrong key does not start and changes nothing.
func TestFleetChangesItsMasterKey(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	url := "redis://" + server.Addr()
	f := startFleet(t, 2, url)
	_, refresh := f.login(f.replicas[0])
	turn := func(r *replica) { refresh = r.must("/token", f.app.refresh(refresh))["refresh_token"].(string) }
	file := func(i int) string { return filepath.Join(filepath.Dir(f.replicas[i].demo.AdminSocket), "master.key") }
	old, err := os.ReadFile(file(0))
	if err != nil {
		t.Fatal(err)
	}
	fresh := masterkey.New().Encode() + "\n"
	give := func(i int, text string) {
		t.Helper()
		if err := os.WriteFile(file(i), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		environ, dir := f.replicas[i].cmd.Env, filepath.Dir(file(i))
		f.replicas[i].stop()
		f.replicas[i] = startReplica(t, dir, environ)
		turn(f.replicas[0])
		turn(f.replicas[1])
	}
	give(1, fresh+string(old))
	if out, err := exec.Command(signetBinary(t), "keys", "rewrap", "--socket", f.replicas[1].demo.AdminSocket).CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "not every replica has the new master key") {
		t.Errorf("rewrap before the first replica has it: got %v\n%s", err, out)
	}
	give(0, fresh+string(old))
	var done rewrapped
	f.replicas[0].keysJSON(&done, "rewrap", "--wait") // a replica that was stopped in order is not waited for
	if !done.Changed || len(done.Have) != 2 || done.NeededUntil.Before(time.Now().Add(89*24*time.Hour)) {
		t.Errorf("rewrap: got %+v", done)
	}
	turn(f.replicas[1])
	turn(f.replicas[0])
	f.replicas[0].admin("", "store", "seal")
	give(0, fresh)
	give(1, fresh)

	const install, ring = "signet:install:{i}", "signet:install:{i}:keyring"
	r := f.replicas[0]
	r.stop()
	f.replicas[1].stop()
	kept := func() []any { return []any{server.Do("get", install), server.Do("hmget", ring, "version", "document")} }
	before := kept()
	write(t, file(0), masterkey.New().Encode()+"\n")
	if text := startFails(t, r.dir()); !strings.Contains(text, "master key: it is not the one this store was made with") {
		t.Errorf("a wrong key: got %q", text)
	}
	if !reflect.DeepEqual(kept(), before) {
		t.Error("a server with a wrong key has changed the store")
	}
}
