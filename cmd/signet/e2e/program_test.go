package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// startProgram starts a program of others, waits until it is ready, and ends it with the test. What it printed is in the log, which
// is shown where the test has failed.
func startProgram(t testing.TB, name string, cmd *exec.Cmd, ready func(log string) bool) (log *lockedBuffer) {
	t.Helper()
	log = &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // its children end with it
		<-exited
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, tail(log.String(), 4000))
		}
	})
	waitFor(t, name, func() bool {
		select {
		case <-exited:
			t.Fatalf("%s ended:\n%s", name, log)
		default:
		}
		return ready(log.String())
	})
	return log
}

// answersOK reports whether a GET is answered with status 200.
func answersOK(address string) bool {
	res, err := http.Get(address)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// startHAProxy runs HAProxy with a configuration that binds fd@3, which is the address.
func startHAProxy(t testing.TB, config string) (address string) {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/haproxy"); err != nil {
			needs(t, "haproxy", "apt-get install haproxy")
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-db", "-f", file)
	cmd.ExtraFiles = []*os.File{socket}
	startProgram(t, "HAProxy", cmd, func(string) bool { return true }) // who connects before it accepts waits in the backlog
	return listener.Addr().String()
}
