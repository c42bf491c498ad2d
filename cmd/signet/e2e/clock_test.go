package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// ready returns the answer of /readyz.
func (r *replica) ready() (status int, body map[string]any) {
	r.t.Helper()
	res, err := fleetClient.Get("http://" + r.address + "/readyz")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, _ := io.ReadAll(res.Body)
	_ = json.Unmarshal(raw, &body)
	return res.StatusCode, body
}

// sawClockOff reports whether the replica has noticed that its clock is off.
func (r *replica) sawClockOff() bool {
	status, body := r.ready()
	return status == http.StatusServiceUnavailable && body["clock"] == false
}

// TestClockAnHourOff: a server whose clock and Redis' are an hour apart stops signing within a poll,
// says so in every place, and goes on by itself; none starts like that.
func TestClockAnHourOff(t *testing.T) {
	t.Parallel()
	proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{Persist: true}).Addr())
	f := startFleet(t, 1, "redis://"+proxy.Addr())
	r := f.replicas[0]
	access, refresh := f.login(r)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		proxy.ShiftClock(by)
		waitFor(t, "the replica to notice", r.sawClockOff)
		if status, body := r.ready(); status != 503 || body["signing"] != false || body["store"] != true || body["key_set"] != true {
			t.Errorf("readyz: got %d %v", status, body)
		}
		for what, form := range map[string]func() (int, http.Header, map[string]any, error){
			"login":         func() (int, http.Header, map[string]any, error) { return r.post("/token", f.app.login()) },
			"refresh":       func() (int, http.Header, map[string]any, error) { return r.post("/token", f.app.refresh(refresh)) },
			"introspection": func() (int, http.Header, map[string]any, error) { return r.post("/introspect", f.token(access)) },
		} {
			if status, header, body, err := form(); err != nil || status != 503 || body["error"] != "temporarily_unavailable" || header.Get("Retry-After") == "" {
				t.Errorf("%s: got %d %v %v, want 503 with Retry-After", what, status, body, err)
			}
		}
		if status := r.get("/.well-known/jwks.json"); status != 200 {
			t.Errorf("the key set: got %d, want it served", status)
		}
		if got := r.metric("signet_clock_offset_seconds") + by.Seconds(); got > 5 || got < -5 {
			t.Errorf("signet_clock_offset_seconds is %v beside what it should be", got)
		}
		_, stderr, code := runSignet(t, "", "user", "disable", f.app.Username, "--socket", r.demo.AdminSocket)
		if code != exitFailed || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "nothing was changed: this machine's clock is off") {
			t.Errorf("a change by an operator: got %d %q", code, stderr)
		}
		proxy.ShiftClock(0)
		waitFor(t, "the replica to be ready again", func() bool { status, _ := r.ready(); return status == http.StatusOK })
		refresh = r.must("/token", f.app.refresh(refresh))["refresh_token"].(string)
	}
	for _, kind := range []string{"key.clock_off", "key.clock_right"} {
		out := r.admin("", "audit", "list", "--type", kind, "-o", "json")
		var page eventPage
		if err := json.Unmarshal([]byte(out), &page); err != nil || len(page.Events) != 2 {
			t.Errorf("%s: got %s, want one event for each time", kind, out)
		}
	}
	if proxy.Counts().Shifted == 0 {
		t.Error("no clock was shifted: the test proves nothing")
	}
}

// TestStartWithClockOff: neither `serve` nor `init` nor `doctor` lets a clock pass that is an hour off;
// one line each, and nothing is written.
func TestStartWithClockOff(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	dir := shortDir(t)
	config := filepath.Join(dir, "signet.yaml")
	const says = "this machine's clock is off: it is 1h0m0"
	proxy.ShiftClock(-time.Hour)
	fails := func(what, want string, args ...string) {
		t.Helper()
		cmd := exec.Command(signetBinary(t), args...)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_LOG_LEVEL=error")
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); err == nil || code != exitFailed && code != exitMisuse || strings.Count(string(out), want) != 1 {
			t.Errorf("%s: exit %d, %s, want %q", what, code, out, want)
		}
		if what != "doctor" && strings.Count(string(out), "\n") != 1+strings.Count(string(out), "signet: warning") {
			t.Errorf("%s says %q, want one line", what, out)
		}
	}
	fails("init", says, "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0", "--store", "redis://"+proxy.Addr())
	if keys := server.Do("keys", "*"); len(keys.([]any)) != 0 {
		t.Errorf("init has left %v", keys)
	}
	if _, err := os.Stat(config); err == nil {
		t.Error("init has left a configuration")
	}
	proxy.ShiftClock(0)
	signet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0", "--store", "redis://"+proxy.Addr())
	before := server.Do("hgetall", "signet:install:{i}:keyring")
	proxy.ShiftClock(-time.Hour)
	fails("serve", says, "serve", "--config", config)
	fails("doctor", says, "doctor", "--config", config)
	if after := server.Do("hgetall", "signet:install:{i}:keyring"); len(after.([]any)) != 4 || after.([]any)[1] != before.([]any)[1] || after.([]any)[3] != before.([]any)[3] {
		t.Errorf("the keyring was changed: %v, was %v", after, before)
	}
}

// TestRedisClockJumps: replicas that agree with each other go on when it is Redis whose clock is wrong.
func TestRedisClockJumps(t *testing.T) {
	t.Parallel()
	proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{Persist: true}).Addr())
	f := startFleet(t, 3, "redis://"+proxy.Addr())
	for range 4 { // each is news, with which replicas hear of each other
		version := f.replicas[0].keyring().Version
		f.replicas[0].admin("", "keys", "revoke", "--emergency", f.replicas[0].keyring().signer())
		waitFor(t, "all to have the keyring", func() bool {
			for _, r := range f.replicas {
				if r.keyring().Version <= version {
					return false
				}
			}
			return true
		})
	}
	proxy.ShiftClock(time.Hour)
	for i, r := range f.replicas {
		waitFor(t, "the replica to say that Redis' clock is wrong", func() bool {
			return strings.Contains(r.stderr.String(), `"type":"key.clock_disputed"`) || t.Failed()
		})
		if status, body := r.ready(); status != http.StatusOK || body["clock"] != true {
			t.Errorf("replica %d: readyz: got %d %v", i, status, body)
		}
		f.login(r)
		if strings.Contains(r.stderr.String(), `"type":"key.clock_off"`) {
			t.Errorf("replica %d takes its own clock for wrong", i)
		}
	}
	proxy.ShiftClock(0)
	waitFor(t, "the end of it", func() bool { return strings.Contains(f.replicas[0].stderr.String(), `"type":"key.clock_agreed"`) })
}

// TestRedisClockJumpsAfterStart: Redis' clock jumps in the first seconds of a fleet. The replicas have
// heard of each other by then, or do so soon, and go on signing.
func TestRedisClockJumpsAfterStart(t *testing.T) {
	t.Parallel()
	proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{Persist: true}).Addr())
	f := startFleet(t, 3, "redis://"+proxy.Addr())
	proxy.ShiftClock(time.Hour)
	begun := time.Now()
	for i, r := range f.replicas {
		waitFor(t, "the replica to say that Redis' clock is wrong", func() bool {
			return strings.Contains(r.stderr.String(), `"type":"key.clock_disputed"`) || t.Failed()
		})
		waitFor(t, "the replica to be ready", func() bool { status, _ := r.ready(); return status == http.StatusOK })
		if took := time.Since(begun); took > 12*time.Second {
			t.Errorf("replica %d was not ready for %v", i, took)
		}
	}
	f.login(f.replicas[1])
}

// keyring is what the replica holds.
func (r *replica) keyring() keyring {
	r.t.Helper()
	var k keyring
	if err := json.Unmarshal([]byte(r.admin("", "keys", "list", "-o", "json")), &k); err != nil {
		r.t.Fatal(err)
	}
	return k
}

// publishes reports whether the kid is in the replica's key set.
func (r *replica) publishes(kid string) bool {
	r.t.Helper()
	res, err := fleetClient.Get("http://" + r.address + "/.well-known/jwks.json")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		r.t.Fatalf("the key set: got %d %s, %v", res.StatusCode, raw, err)
	}
	return strings.Contains(string(raw), `"`+kid+`"`)
}

// dir is the replica's data directory.
func (r *replica) dir() string { return filepath.Dir(r.demo.AdminSocket) }

// signer is the kid that signs.
func (k keyring) signer() string {
	for _, key := range k.Keys {
		if key.State == "active" {
			return key.ID
		}
	}
	return ""
}
