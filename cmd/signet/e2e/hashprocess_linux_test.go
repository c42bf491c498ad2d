package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wantHashProcess waits until there is one.
func (p *process) wantHashProcess() (pid int) {
	p.t.Helper()
	waitFor(p.t, "the process that hashes", func() bool {
		pid = hashProcess(p.t, p.cmd.Process.Pid)
		return pid != 0
	})
	return pid
}

// loggedIn sends a login and returns the status and how long it took. Whatever happens to the process that hashes, a right
// password is answered 200 or 503, and a wrong one 400 or 503.
func (p *process) loggedIn(right bool) (status int, took time.Duration) {
	form := maps.Clone(p.demo.login())
	want := http.StatusOK
	if !right {
		form.Set("password", "three green heron")
		want = http.StatusBadRequest
	}
	begun := time.Now()
	res, err := http.PostForm(p.demo.Issuer+"/token", form)
	if err != nil {
		p.t.Error(err)
		return 0, 0
	}
	res.Body.Close()
	if res.StatusCode != want && (res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "") {
		p.t.Errorf("right %t: got %s, Retry-After %q", right, res.Status, res.Header.Get("Retry-After"))
	}
	return res.StatusCode, time.Since(begun)
}

// noThrottle lets a test log in as often as it wants, also with wrong passwords.
var noThrottle = []string{"SIGNET_THROTTLE_PER_NETWORK=0", "SIGNET_THROTTLE_ANYWHERE=0", "SIGNET_THROTTLE_PER_ACCOUNT=100"}

// The process that hashes starts with the first password, is of the idle class with all its threads, and has nothing secret
// in its arguments and no environment.
func TestHashProcess(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "")
	pid := p.wantHashProcess() // the install has a user with a password
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		const idle = "5" // SCHED_IDLE
		if class := afterName(stat)[38]; class != idle {
			t.Errorf("%s: scheduling class %s, want %s", task, class, idle)
		}
	}
	for file, want := range map[string]string{"environ": "", "cmdline": signetBinary(t) + "\x00hash-passwords\x00"} {
		if got, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file)); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", file, got, err, want)
		}
	}
	before := p.metric(`signet_hash_pool_hashes_total{process="worker"}`)
	p.loggedIn(true)
	p.loggedIn(false)
	there, here := p.metric(`signet_hash_pool_hashes_total{process="worker"}`)-before, p.metric(`signet_hash_pool_hashes_total{process="server"}`)
	if there+here < 2 || there == 0 && here == 0 {
		t.Errorf("got %v hashes there and %v in the server", there, here)
	}
	if off := startInstall(t, "", "SIGNET_PASSWORD_PROCESS=off"); hashProcess(t, off.cmd.Process.Pid) != 0 {
		t.Error("off: there is a process")
	}
}

// Killed again and again in the middle of logins, it costs nobody a right answer, and the log has one warning.
func TestHashProcessKilled(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "", append(noThrottle, "SIGNET_REFRESH_SESSIONS_PER_USER=1000")...)
	p.wantHashProcess()
	stop := make(chan struct{})
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for i := range 8 {
		all.Go(func() {
			for n := i; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				status, _ := p.loggedIn(n%4 != 0)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	for range 3 {
		pid := p.wantHashProcess()
		time.Sleep(100 * time.Millisecond) // it hashes
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		waitFor(t, "its end", func() bool { return hashProcess(t, p.cmd.Process.Pid) != pid })
	}
	close(stop)
	all.Wait()
	t.Logf("answers: %v", statuses)
	if statuses[http.StatusOK] == 0 || statuses[http.StatusServiceUnavailable] > statuses[http.StatusOK] {
		t.Errorf("got %v", statuses)
	}
	if n := strings.Count(p.stderr.String(), "the process that hashes passwords does not run"); n != 1 || !strings.Contains(p.stderr.String(), "killed") {
		t.Errorf("got %d warnings, want one with the reason:\n%s", n, p.stderr)
	}
	p.wantHashProcess()
	waitFor(t, "the process to hash", func() bool { return p.metric("signet_hash_pool_fell_back") == 0 })
}

// Stopped, it answers nothing. Logins are answered within the bound all the same. Metrics, /readyz and doctor report it.
func TestHashProcessStopped(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "", "SIGNET_PASSWORD_WAIT=2s")
	pid := p.wantHashProcess()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if status, took := p.loggedIn(true); status != http.StatusOK {
				t.Errorf("got %d after %v, want 200", status, took)
			}
		})
	}
	all.Wait()
	waitFor(t, "the fall-back", func() bool { return p.metric("signet_hash_pool_fell_back") == 1 })
	if body := get(t, p.demo.Issuer+"/readyz"); !strings.Contains(body, `"ready":true`) || !strings.Contains(body, `"hashing":"fell_back"`) {
		t.Errorf("readyz: %s", body)
	}
	if out, _, code := runSignet(t, "", "doctor", "--config", filepath.Join(filepath.Dir(p.demo.AdminSocket), "signet.yaml")); code != 0 || !strings.Contains(out, "the server hashes them itself") {
		t.Errorf("doctor: exit status %d\n%s", code, out)
	}
	if status, _ := p.loggedIn(true); status != http.StatusOK {
		t.Errorf("afterwards: got %d, want 200", status)
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the process to answer", func() bool { return p.metric("signet_hash_pool_fell_back") == 0 })
}

// Other programs that fill all cores leave none for a process of the idle class. Logins go on all the same: the server
// notices it and hashes one at a time.
func TestHashProcessWithoutCores(t *testing.T) {
	p := startInstall(t, "", "SIGNET_PASSWORD_WAIT=2s")
	p.wantHashProcess()
	for range 2 * runtime.NumCPU() {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = hog.Process.Kill(); _ = hog.Wait() }()
	}
	var slowest time.Duration
	for range 10 {
		status, took := p.loggedIn(true)
		if status != http.StatusOK {
			t.Errorf("got %d after %v, want 200", status, took)
		}
		slowest = max(slowest, took)
	}
	t.Logf("the slowest of ten: %v; %v of them hashed in the server", slowest, p.metric(`signet_hash_pool_hashes_total{process="server"}`))
	if p.metric(`signet_hash_pool_hashes_total{process="server"}`) == 0 {
		t.Error("the server did not help")
	}
}

// It ends with the server, however that ends, and even if it cannot notice that itself.
func TestHashProcessEndsWithTheServer(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		end  syscall.Signal
		stop bool // the process does not run when the server ends
	}{{"SIGTERM", syscall.SIGTERM, false}, {"SIGKILL", syscall.SIGKILL, false}, {"SIGKILL while it is stopped", syscall.SIGKILL, true}} {
		t.Run(row.name, func(t *testing.T) {
			p := startInstall(t, "", "SIGNET_SHUTDOWN_DELAY=0s")
			pid := p.wantHashProcess()
			if row.stop {
				if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			if err := syscall.Kill(p.cmd.Process.Pid, row.end); err != nil {
				t.Fatal(err)
			}
			<-p.exited
			waitFor(t, "the end of the process that hashes", func() bool {
				stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
				return err != nil || afterName(stat)[0] == "Z"
			})
			if strings.Contains(p.stderr.String(), "does not run") {
				t.Errorf("an orderly end is no reason for a warning:\n%s", p.stderr)
			}
		})
	}
}

// It runs as in a container: nothing but the data directory can be written to, and the user has no capability and can get
// none. Its memory cannot be read by others of the same user.
func TestHashProcessInAContainer(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"unshare", "setpriv"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install util-linux")
		}
	}
	dir := strangersDirectory(t)
	addr := freeAddress(t)
	init := asNobody(t, dir, "init", "--dir", dir, "--issuer", "http://"+addr, "--listen", addr)
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const script = `mount --bind "$1" "$1" && mount -o remount,bind,ro / && ! touch /read-only 2>/dev/null && cd "$1" &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs "$1/signet" serve --config "$1/signet.yaml"`
	p := &process{t: t, cmd: exec.Command("unshare", "--mount", "sh", "-c", script, "sh", dir), stderr: &lockedBuffer{}, exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = init.Env, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.kill)
	waitFor(t, "signet serve", func() bool {
		select {
		case <-p.exited:
			t.Skipf("a mount namespace with a read-only root cannot be made here: %s", p.stderr)
		default:
		}
		return strings.Contains(p.stderr.String(), `"msg":"serving"`)
	})
	create := exec.Command(filepath.Join(dir, "signet"), "user", "create", "--username", "ada", "--password-stdin", "--config", filepath.Join(dir, "signet.yaml"))
	create.SysProcAttr, create.Env = init.SysProcAttr, init.Env
	create.Stdin = strings.NewReader("three green herons")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pid := p.wantHashProcess()
	if strings.Contains(p.stderr.String(), "does not run") {
		t.Errorf("a warning:\n%s", p.stderr)
	}
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
		t.Errorf("its memory belongs to user %d, want root", uid)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "Uid:\t65534\t65534"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("without %q:\n%s", want, status)
		}
	}
}
