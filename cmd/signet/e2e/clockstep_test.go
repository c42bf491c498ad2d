package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// clockFile is the variable that names a file with a duration: the program of these tests, which is built with the tag
// testclock, goes by a clock that is so much ahead of the machine's.
const clockFile = "TEST_CLOCK_FILE"

// steppedClock is the clock of a process.
type steppedClock struct {
	t    *testing.T
	path string
}

func newSteppedClock(t *testing.T) steppedClock {
	c := steppedClock{t, filepath.Join(t.TempDir(), "clock")}
	c.set(0)
	return c
}

func (c steppedClock) variable() string { return clockFile + "=" + c.path }

func (c steppedClock) set(by time.Duration) {
	c.t.Helper()
	if err := os.WriteFile(c.path+".new", []byte(by.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(c.path+".new", c.path); err != nil {
		c.t.Fatal(err)
	}
}

// refuses checks that a replica whose clock is behind signs nothing, says so, and serves the key set
// without the revoked key.
func (f *fleet) refuses(r *replica, revoked, signer string) {
	f.t.Helper()
	waitFor(f.t, "the replica to notice", func() bool {
		status, body := r.ready()
		return status == http.StatusServiceUnavailable && body["reason"] == "clock_behind"
	})
	if status, header, body, err := r.post("/token", f.app.login()); err != nil || status != 503 || header.Get("Retry-After") == "" {
		f.t.Errorf("login: got %d %v %v, want 503 with Retry-After", status, body, err)
	}
	if r.publishes(revoked) || !r.publishes(signer) {
		f.t.Errorf("the key set: the revoked key is in it: %v, the one that signs: %v", r.publishes(revoked), r.publishes(signer))
	}
	waitFor(f.t, "the log to say so", func() bool { return strings.Contains(r.stderr.String(), "clock is behind the latest time") })
	if n := strings.Count(r.stderr.String(), "this machine's clock is behind the latest time"); n != 1 {
		f.t.Errorf("the log says it %d times, want once", n)
	}
	if r.metric("signet_clock_behind_seconds") < 60 {
		f.t.Errorf("signet_clock_behind_seconds is %v", r.metric("signet_clock_behind_seconds"))
	}
}

// TestClockStepsBack: after a revocation the clock is set back, of a running process and between two
// runs. The revoked key stays revoked, nothing is signed, and everything goes on when the clock is right.
func TestClockStepsBack(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"bolt", "redis"} {
		for _, by := range []time.Duration{-70 * time.Second, -time.Hour, -24 * time.Hour} {
			for _, cold := range []bool{false, true} {
				name := store + by.String() + map[bool]string{true: "_cold", false: "_running"}[cold]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					testClockStepsBack(t, store, by, cold)
				})
			}
		}
	}
}

func testClockStepsBack(t *testing.T, store string, by time.Duration, cold bool) {
	clock, shift, url := newSteppedClock(t), func(time.Duration) {}, "bolt:signet.db"
	if store == "redis" { // its clock is set back as well, as that of the machine under both
		proxy := network.NewProxy(t, redistest.Start(t, redistest.Config{Persist: true}).Addr())
		shift, url = proxy.ShiftClock, "redis://"+proxy.Addr()
	}
	f := startFleet(t, 1, url, clock.variable())
	r := f.replicas[0]
	revoked := r.keyring().signer()
	r.admin("", "keys", "revoke", "--emergency", revoked)
	signer := r.keyring().signer()
	if signer == revoked || r.publishes(revoked) {
		t.Fatal("the key was not revoked")
	}
	f.login(r)
	if cold {
		r.kill()
	}
	shift(by)
	clock.set(by)
	if cold {
		r = startReplica(t, r.dir(), r.cmd.Env)
	}
	f.refuses(r, revoked, signer)
	shift(0)
	clock.set(0)
	waitFor(t, "the replica to be ready again", func() bool { status, _ := r.ready(); return status == http.StatusOK })
	f.login(r)
}

// TestClockReset: a clock that was ten years ahead for a moment leaves a time behind that no right clock
// reaches. One command forgets it, and the keys go on.
func TestClockReset(t *testing.T) {
	t.Parallel()
	clock := newSteppedClock(t)
	f := startFleet(t, 1, "bolt:signet.db", clock.variable())
	r := f.replicas[0]
	const years = 10 * 365 * 24 * time.Hour
	clock.set(years)
	version := r.keyring().Version
	waitFor(t, "the keys to rotate by the wrong clock", func() bool { return r.keyring().Version > version })
	clock.set(0)
	waitFor(t, "the replica to notice", func() bool { _, body := r.ready(); return body["reason"] == "clock_behind" })
	_, stderr, code := runSignet(t, "", "user", "disable", f.app.Username, "--socket", r.demo.AdminSocket)
	if code != exitFailed || !strings.Contains(stderr, "signet keys clock-reset") {
		t.Errorf("a change by an operator: got %d %q, want the way out", code, stderr)
	}
	r.kill()
	r = startReplica(t, r.dir(), r.cmd.Env)
	if status, _ := r.ready(); status != http.StatusServiceUnavailable {
		t.Errorf("after a restart readyz is %d", status)
	}
	r.admin("", "keys", "clock-reset")
	waitFor(t, "the replica to be ready", func() bool { status, _ := r.ready(); return status == http.StatusOK })
	f.login(r)
	r.kill()
	r = startReplica(t, r.dir(), r.cmd.Env)
	if status, body := r.ready(); status != http.StatusOK {
		t.Errorf("after another restart readyz is %d %v", status, body)
	}
	f.login(r)
	r.admin("", "keys", "rotate")
}
