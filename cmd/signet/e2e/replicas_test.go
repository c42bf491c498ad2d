package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// fleet is one install that several replicas serve, each a process of its own with its own data
// directory, as on machines of their own.
type fleet struct {
	t        testing.TB
	replicas []*replica
	app      demo // the client and the user; Issuer is that of all replicas
}

// replica is one process and where it listens.
type replica struct {
	*process
	address string
}

// startFleet makes an install in the store and starts n replicas of it. It has the user ada and the
// confidential client web.
func startFleet(t testing.TB, n int, storeURL string, settings ...string) *fleet {
	t.Helper()
	f := &fleet{t: t, app: demo{Issuer: "https://auth.example.com", Username: "ada", Password: "three green herons", ClientID: "web"}}
	first := shortDir(t)
	environ := append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168", "SIGNET_PASSWORD_ARGON2_TIME=1",
		"SIGNET_SHUTDOWN_DELAY=0s", "SIGNET_KEYS_POLL=1s", "SIGNET_THROTTLE_PER_NETWORK=0")
	environ = append(environ, settings...)
	initialize := exec.Command(signetBinary(t), "init", "--dir", first, "--issuer", f.app.Issuer, "--listen", "127.0.0.1:0", "--store", storeURL)
	initialize.Env = environ
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	for i := range n {
		dir := first
		if i > 0 { // what an operator copies to another machine
			dir = shortDir(t)
			for _, name := range []string{"signet.yaml", "master.key"} {
				data, err := os.ReadFile(filepath.Join(first, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		f.replicas = append(f.replicas, startReplica(t, dir, environ))
	}
	one := f.replicas[0]
	one.admin(f.app.Password, "user", "create", "--username", f.app.Username, "--password-stdin")
	f.app.ClientSecret = one.createClient(f.app.ClientID, "--introspect")
	return f
}

// shortDir is a directory whose path leaves room for a socket's.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "signet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func startReplica(t testing.TB, dir string, environ []string) *replica {
	t.Helper()
	r := &replica{process: &process{t: t, stderr: &lockedBuffer{}, exited: make(chan struct{})}}
	r.demo.AdminSocket = filepath.Join(dir, "admin.sock")
	r.cmd = exec.Command(signetBinary(t), "serve", "--config", filepath.Join(dir, "signet.yaml"))
	r.cmd.Env, r.cmd.Stderr = environ, r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.cmd.Wait(); close(r.exited) }()
	t.Cleanup(r.kill)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s said:\n%s", dir, tail(r.stderr.String(), 4000))
		}
	})
	r.waitForLine("serving")
	return r
}

// waitForLine waits for a line of the log that has the address of the listener.
func (r *replica) waitForLine(msg string) {
	r.t.Helper()
	waitFor(r.t, "signet serve", func() bool {
		select {
		case <-r.exited:
			r.t.Fatalf("signet serve ended:\n%s", r.stderr)
		default:
		}
		_, rest, ok := strings.Cut(r.stderr.String(), `"msg":"`+msg+`"`)
		_, rest, listens := strings.Cut(rest, `"listen":"`)
		r.address, _, _ = strings.Cut(rest, `"`)
		return ok && listens
	})
}

// tail is the end of a text.
func tail(s string, most int) string { return s[max(0, len(s)-most):] }

// post sends a form and returns the status, the header and the JSON of the answer.
func (r *replica) post(path string, form url.Values) (int, http.Header, map[string]any, error) {
	return r.postWith(fleetClient, path, form)
}

func (r *replica) postWith(client *http.Client, path string, form url.Values) (int, http.Header, map[string]any, error) {
	res, err := client.PostForm("http://"+r.address+path, form)
	if err != nil {
		return 0, nil, nil, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, nil, nil, err
	}
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	return res.StatusCode, res.Header, body, nil
}

var fleetClient = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// must is post for an answer that has to be good.
func (r *replica) must(path string, form url.Values) map[string]any {
	r.t.Helper()
	status, _, body, err := r.post(path, form)
	if err != nil || status != http.StatusOK {
		r.t.Fatalf("POST %s %v: got %d %v %v\n%s", path, form["grant_type"], status, body, err, r.stderr)
	}
	return body
}

func (f *fleet) login(r *replica) (access, refresh string) {
	f.t.Helper()
	body := r.must("/token", f.app.login())
	return body["access_token"].(string), body["refresh_token"].(string)
}

func (f *fleet) token(t string) url.Values {
	return url.Values{"client_id": {f.app.ClientID}, "client_secret": {f.app.ClientSecret}, "token": {t}}
}

// TestReplicasShareOneRedis: whatever is asked of one replica is true at the others.
func TestReplicasShareOneRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 3, "redis://"+server.Addr())
	a, b, c := f.replicas[0], f.replicas[1], f.replicas[2]

	access, refresh := f.login(a)
	refresh = b.must("/token", f.app.refresh(refresh))["refresh_token"].(string)
	if active := c.must("/introspect", f.token(access))["active"]; active != true {
		t.Errorf("a token of one replica at another: got active %v", active)
	}
	a.must("/revoke", f.token(refresh))
	for i, r := range f.replicas {
		if status, _, body, err := r.post("/token", f.app.refresh(refresh)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
			t.Errorf("replica %d: a revoked session: got %d %v %v, want invalid_grant", i, status, body, err)
		}
		if active := r.must("/introspect", f.token(access))["active"]; active != false {
			t.Errorf("replica %d: an access token of a revoked session: got active %v", i, active)
		}
	}

	// A client that is disabled at one replica is out at all of them, for the hint at once.
	ask := url.Values{"grant_type": {"client_credentials"}, "client_id": {f.app.ClientID}, "client_secret": {f.app.ClientSecret}}
	for _, r := range f.replicas {
		r.must("/token", ask)
	}
	a.admin("", "client", "disable", f.app.ClientID)
	waitFor(t, "the others to hear that the client is disabled", func() bool {
		for _, r := range []*replica{b, c} {
			if status, _, _, _ := r.post("/token", ask); status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})

	// Every replica is seen, with the keyring of now.
	waitFor(t, "three heartbeats of one version", func() bool {
		var k keyring
		if err := json.Unmarshal([]byte(b.admin("", "keys", "list", "-o", "json")), &k); err != nil {
			t.Fatal(err)
		}
		for _, r := range k.Replicas {
			if r.Version != k.Version {
				return false
			}
		}
		return len(k.Replicas) == 3
	})
}

// TestReplicasRotateOnce presents one refresh token to eight processes at once, again and again:
// one successor, whoever answers.
func TestReplicasRotateOnce(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 8, "redis://"+server.Addr())
	_, refresh := f.login(f.replicas[0])
	const each = 8
	for round := range 5 {
		successors := make(map[string]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		release := make(chan struct{})
		for _, r := range f.replicas {
			for range each {
				all.Go(func() {
					<-release
					status, _, body, err := r.post("/token", f.app.refresh(refresh))
					mu.Lock()
					defer mu.Unlock()
					if err != nil || status != http.StatusOK {
						t.Errorf("round %d: got %d %v %v", round, status, body, err)
						return
					}
					successors[body["refresh_token"].(string)]++
				})
			}
		}
		close(release)
		all.Wait()
		if len(successors) != 1 {
			t.Fatalf("round %d: %d successors, want one for all", round, len(successors))
		}
		for token := range successors {
			refresh = token
		}
	}
	counts := map[string]int{}
	for _, r := range f.replicas {
		for _, outcome := range []string{"rotated", "replayed", "reuse", "healed"} {
			counts[outcome] += r.outcomes(outcome)
		}
	}
	if want := fmt.Sprint(map[string]int{"rotated": 5, "replayed": 5*each*8 - 5, "reuse": 0, "healed": 0}); fmt.Sprint(counts) != want {
		t.Errorf("outcomes of all replicas: got %v, want %v", counts, want)
	}
}
