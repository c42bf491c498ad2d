package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"signet/keys/masterkey"
	"signet/store/redis/redistest"
)

// startWaiting runs `signet serve`, and returns when it waits for its store.
func startWaiting(t *testing.T, dir string, env ...string) *replica {
	t.Helper()
	r := &replica{process: &process{t: t, stderr: &lockedBuffer{}, exited: make(chan struct{})}}
	r.cmd = exec.Command(signetBinary(t), "serve", "--config", filepath.Join(dir, "signet.yaml"))
	r.cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_SHUTDOWN_DELAY=0s"), env...)
	r.cmd.Stderr = r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.cmd.Wait(); close(r.exited) }()
	t.Cleanup(r.kill)
	r.waitForLine("the store cannot be reached; waiting for it")
	return r
}

func (r *replica) wantWaiting(t *testing.T) {
	t.Helper()
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/token": 503, "/.well-known/jwks.json": 503} {
		res, err := fleetClient.Get("http://" + r.address + path)
		if err != nil {
			t.Fatalf("%v\n%s", err, r.stderr)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%s: got %d %s, want %d", path, res.StatusCode, body, want)
		}
		if retry := res.Header.Get("Retry-After"); want == 503 && path != "/readyz" && (retry == "" || retry == "0") {
			t.Errorf("%s: got Retry-After %q", path, retry)
		}
	}
}

// TestServeWaitsForRedis starts a server while its Redis is down, and then starts the Redis.
func TestServeWaitsForRedis(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 1, "redis://"+redis.Addr())
	if code := f.replicas[0].stop(); code != 0 {
		t.Fatalf("the first start exits with %d", code)
	}
	dir := filepath.Dir(f.replicas[0].demo.AdminSocket)
	redis.Kill()

	ends := startWaiting(t, dir)
	ends.wantWaiting(t)
	if code := ends.stop(); code != 0 {
		t.Errorf("SIGTERM while it waits: exits with %d\n%s", code, ends.stderr)
	}

	r := startWaiting(t, dir, "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168", "SIGNET_PASSWORD_ARGON2_TIME=1")
	r.wantWaiting(t)
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.wantWaiting(t)
	redis.Restart()
	waitFor(t, "the server to be ready", func() bool {
		res, err := fleetClient.Get("http://" + r.address + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	f.login(r)
	waitFor(t, "the reload that was asked for meanwhile", func() bool { return strings.Contains(r.stderr.String(), "configuration read again") })
	if n := strings.Count(r.stderr.String(), "the store cannot be reached"); n != 1 {
		t.Errorf("the log says %d times that it waits, want once:\n%s", n, r.stderr)
	}
	if code := r.stop(); code != 0 {
		t.Errorf("SIGTERM afterwards: exits with %d", code)
	}
}

// fakeServer answers every line that it is sent with the same reply.
func fakeServer(t *testing.T, reply string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewReader(conn); ; {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					if strings.HasPrefix(line, "*") {
						_, _ = io.WriteString(conn, reply)
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// writeInstall writes a configuration for a store that this test makes up, and a master key.
func writeInstall(t *testing.T, store, more string) string {
	t.Helper()
	dir := shortDir(t)
	text := fmt.Sprintf("issuer: https://auth.example.com\nlisten: 127.0.0.1:0\nstore: %s\n%s", store, more)
	if err := os.WriteFile(filepath.Join(dir, "signet.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "master.key"), masterkey.New().Encode()+"\n")
	return dir
}

// TestServeWaitsFor is the table of what goes away by itself.
func TestServeWaitsFor(t *testing.T) {
	t.Parallel()
	for name, store := range map[string]string{
		"nobody there":         "redis://127.0.0.1:1",
		"loading":              "redis://" + fakeServer(t, "-LOADING Redis is loading the dataset in memory\r\n"),
		"a replica without":    "redis://" + fakeServer(t, "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n"),
		"a cluster that forms": "redis+cluster://" + fakeServer(t, "-CLUSTERDOWN Hash slot not served\r\n"),
		"too many clients":     "redis://" + fakeServer(t, "-ERR max number of clients reached\r\n"),
		"no Sentinel there":    "redis+sentinel://127.0.0.1:1/mymaster",
		"no master elected":    "redis+sentinel://" + fakeServer(t, "*-1\r\n") + "/mymaster",
		"no such host":         "redis://redis.signet.invalid",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startWaiting(t, writeInstall(t, store, ""))
			r.wantWaiting(t)
			if code := r.stop(); code != 0 {
				t.Errorf("SIGTERM: exits with %d\n%s", code, r.stderr)
			}
		})
	}
}

// TestServeEndsAtOnce is the table of failures that last until the configuration changes.
func TestServeEndsAtOnce(t *testing.T) {
	t.Parallel()
	secret := redistest.Start(t, redistest.Config{Password: "secret"})
	open := redistest.Start(t, redistest.Config{})
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	files := redistest.Certificates(t)
	encrypted := redistest.Start(t, redistest.Config{TLS: &redistest.TLS{Files: files}})
	for name, test := range map[string]struct{ store, more, env, says string }{
		"a wrong password":      {"redis://" + secret.Addr(), "", "SIGNET_REDIS_PASSWORD=wrong", "redis.password_file"},
		"no password":           {"redis://" + secret.Addr(), "", "", "redis.password_file"},
		"nothing in it":         {"redis://" + open.Addr(), "", "", "holds no install"},
		"an unknown CA":         {"rediss://" + encrypted.Addr(), "", "", "redis.ca"},
		"no TLS":                {"rediss://" + plain.Listener.Addr().String(), "", "", "write redis in place of rediss"},
		"no cluster":            {"redis+cluster://" + open.Addr(), "", "", "no cluster"},
		"another kind of thing": {"redis://" + fakeServer(t, "HTTP/1.1 400 Bad Request\r\n\r\n"), "", "", "does not answer as it should"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := writeInstall(t, test.store, test.more)
			cmd := exec.Command(signetBinary(t), "serve", "--config", filepath.Join(dir, "signet.yaml"))
			cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", test.env)
			out, err := cmd.CombinedOutput()
			var said []string
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "signet: ") {
					said = append(said, line)
				}
			}
			if cmd.ProcessState.ExitCode() != 1 || len(said) != 1 || !strings.Contains(said[0], test.says) || strings.Contains(string(out), "waiting") {
				t.Errorf("got %v and\n%s", err, out)
			}
		})
	}
}
