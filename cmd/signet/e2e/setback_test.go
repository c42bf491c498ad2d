package e2e

import (
	"net/http"
	"path/filepath"
	"testing"

	"signet/store/redis/redistest"
)

// image is all that a Redis holds at one moment, as a snapshot of it would be.
type image map[string]string

func imageOf(server *redistest.Server) image {
	i := image{}
	for _, key := range server.Do("keys", "*").([]any) {
		if value, ok := server.Do("dump", key).(string); ok {
			i[key.(string)] = value
		}
	}
	return i
}

// putBack makes the server hold that and nothing else.
func (i image) putBack(server *redistest.Server) {
	server.Do("flushall")
	for key, value := range i {
		server.Do("restore", key, 0, value, "replace") // a replica that runs writes meanwhile
	}
}

// TestOlderSnapshotWhileAReplicaRuns: the replica never goes back to it, and writes its own keyring over
// it: a key that was revoked since stays revoked, at every replica, and so it is when Redis is wiped.
func TestOlderSnapshotWhileAReplicaRuns(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	f := startFleet(t, 2, "redis://"+server.Addr())
	a, b := f.replicas[0], f.replicas[1]
	access, _ := f.login(a)
	leaked := a.keyring().signer()
	snapshot := imageOf(server)
	a.admin("", "keys", "revoke", "--emergency", leaked)
	waitFor(t, "the other replica to follow", func() bool { return b.keyring().signer() != leaked })
	revoked := a.keyring().Version

	for name, setBack := range map[string]func(){
		"an older snapshot": func() { snapshot.putBack(server) },
		"a wiped Redis":     func() { server.Do("flushall") },
	} {
		before := a.keyring().Version
		setBack()
		waitFor(t, name+": the keyring to be written back", func() bool { return a.keyring().Version > before && b.keyring().Version > before })
		for i, r := range f.replicas {
			if r.publishes(leaked) {
				t.Errorf("%s: replica %d publishes the revoked key again", name, i)
			}
		}
		if version := server.Do("hget", "signet:install:{i}:keyring", "version"); version == "" || a.keyring().Version <= revoked {
			t.Errorf("%s: Redis holds version %v, this replica %d", name, version, a.keyring().Version)
		}
		if server.Do("get", "signet:install:{i}") == nil {
			t.Errorf("%s: the install record is not there", name)
		}
		fresh := startReplica(t, filepath.Dir(copyInstall(t, a.dir(), "signet.yaml", "master.key")), a.cmd.Env)
		if fresh.publishes(leaked) {
			t.Errorf("%s: a fresh replica publishes the revoked key", name)
		}
		fresh.stop()
	}
	snapshot.putBack(server)
	waitFor(t, "service", func() bool { status, _, _, _ := a.post("/token", f.app.login()); return status == http.StatusOK })
	if active := a.must("/introspect", f.token(access))["active"]; active != false {
		t.Errorf("a token of the revoked key: got active %v", active)
	}
}

// TestReplicaWithoutRedis: a replica that cannot read the keyring stops signing at X and stops serving
// the key set at D, and is back with Redis.
func TestReplicaWithoutRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 1, "redis://"+server.Addr(), "SIGNET_KEYS_SIGN_STALE=4s", "SIGNET_KEYS_SERVE_STALE=8s")
	r := f.replicas[0]
	server.Kill()
	_, body := r.ready()
	if body["signing"] != true || body["key_set"] != true {
		t.Errorf("at once: got %v, want it to sign and to serve", body)
	}
	waitFor(t, "X to be over", func() bool { _, body := r.ready(); return body["signing"] == false })
	if _, body := r.ready(); body["key_set"] != true || r.get("/.well-known/jwks.json") != http.StatusOK {
		t.Errorf("after X: got %v, want the key set served", body)
	}
	waitFor(t, "D to be over", func() bool { _, body := r.ready(); return body["key_set"] == false })
	if status := r.get("/.well-known/jwks.json"); status != http.StatusServiceUnavailable {
		t.Errorf("the key set after D: got %d, want 503", status)
	}
	server.Restart()
	waitFor(t, "the replica to be ready", func() bool { status, _ := r.ready(); return status == http.StatusOK })
	f.login(r)
}
