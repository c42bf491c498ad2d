package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// signetBinary returns the path of the program that TestMain has built.
func signetBinary(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("signet")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// process is a signet that runs on its own, as users run it.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	demo   demo // what `signet dev -o json` printed
	stderr *lockedBuffer
	exited chan struct{}
}

// lockedBuffer collects what a process writes while a test reads it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// startProcess runs the program, which ends with the test, and returns the first line it prints.
func startProcess(t testing.TB, args ...string) (p *process, line string) {
	t.Helper()
	p, stdout := startProcessNoLine(t, args...)
	line, _ = stdout.ReadString('\n')
	return p, line
}

// startProcessNoLine does not wait for a line.
func startProcessNoLine(t testing.TB, args ...string) (p *process, stdout *bufio.Reader) {
	t.Helper()
	p = &process{t: t, cmd: exec.Command(signetBinary(t), args...), stderr: &lockedBuffer{}, exited: make(chan struct{})}
	p.cmd.Stderr = p.stderr
	p.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = write
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	t.Cleanup(func() { p.kill(); read.Close() })
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, bufio.NewReader(read)
}

// startDev runs `signet dev` in dir on a free port, or on the given address.
func startDev(t testing.TB, dir string, listen ...string) *process {
	t.Helper()
	addr := "127.0.0.1:0"
	if len(listen) > 0 {
		addr = listen[0]
	}
	p, line := startProcess(t, "dev", "--dir", dir, "--listen", addr, "-o", "json")
	if err := json.Unmarshal([]byte(line), &p.demo); err != nil {
		p.kill()
		t.Fatalf("signet dev printed %q: %v\n%s", line, err, p.stderr)
	}
	return p
}

// kill ends the process as a crash would, and waits for it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// stop ends the process as an operator would, and reports what it exited with.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		p.t.Error("signet did not stop within 30 s of SIGTERM")
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// runSignet runs one command to its end.
func runSignet(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command(signetBinary(t), args...)
	var out, errs bytes.Buffer
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	if _, isExit := errors.AsType[*exec.ExitError](err); err != nil && !isExit {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// hashProcess returns the process that hashes for a server; 0 is none.
func hashProcess(t testing.TB, server int) int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // it has ended
		}
		if fields := afterName(stat); fields[1] == strconv.Itoa(server) && fields[0] != "Z" {
			return pid
		}
	}
	return 0
}

// afterName returns the fields of proc_pid_stat(5) from the third on.
func afterName(stat []byte) []string {
	return strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}
