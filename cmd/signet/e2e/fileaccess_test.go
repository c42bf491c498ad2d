package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// asNobody runs a copy of the program as a user without rights, in dir. Only root can.
func asNobody(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("this needs root, to run the program as another user")
	}
	text, err := os.ReadFile(signetBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "signet")
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"GORACE=atexit_sleep_ms=0", "PATH=/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

const nobody = 65534

// strangersDirectory belongs to nobody and can be entered by all.
func strangersDirectory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "signet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestStrangersSocket: a command that is run in the directory of another user sends no password to
// that user's server, whether it is found by a configuration or by where `signet dev` has it.
func TestStrangersSocket(t *testing.T) {
	t.Parallel()
	dir := strangersDirectory(t)
	if err := os.Mkdir(filepath.Join(dir, "signet-data"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, socket := range map[string]string{"dev": "signet-data/admin.sock", "configuration": "trap.sock"} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 10)
			listener, err := net.Listen("unix", filepath.Join(dir, socket))
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { heard <- r.URL.Path })}
			go func() { _ = server.Serve(listener) }()
			defer server.Close()
			if name == "configuration" {
				path := filepath.Join(dir, "signet.yaml")
				text := fmt.Sprintf("issuer: https://auth.example.com\nadmin: {socket: %s}\n", socket)
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				if os.Geteuid() != 0 {
					t.Skip("this needs root, to make a file of another user")
				}
				if err := os.Chown(path, nobody, nobody); err != nil {
					t.Fatal(err)
				}
			} else if os.Geteuid() == 0 {
				return // the listener is this process's, which is root's: TestPeerRule has the rule
			}
			cmd := exec.Command(signetBinary(t), "user", "set-password", "alice", "--password-stdin")
			cmd.Dir, cmd.Stdin = dir, strings.NewReader("correct horse battery")
			cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
			out, err := cmd.CombinedOutput()
			if err == nil || len(heard) > 0 || !strings.Contains(string(out), "belongs to another user") || strings.Count(string(out), "\n") != 1 {
				t.Errorf("got %v, %d requests and %q, want one line and no request", err, len(heard), out)
			}
		})
	}
}

// TestStrangersServer: a server that really runs as another user gets nothing, until the caller says
// that it is meant. `signet dev` stands in for the stranger's program.
func TestStrangersServer(t *testing.T) {
	t.Parallel()
	dir := strangersDirectory(t)
	server := asNobody(t, dir, "dev", "--listen", "127.0.0.1:0", "-o", "json")
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	var d demo
	if err := json.NewDecoder(stdout).Decode(&d); err != nil {
		t.Fatal(err)
	}
	run := func(env []string, args ...string) (string, error) {
		cmd := exec.Command(signetBinary(t), args...)
		cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run(nil, "user", "list"); err == nil || !strings.Contains(out, "runs as another user (uid 65534), and nothing was sent to it; if you mean it") || strings.Count(out, "\n") != 1 {
		t.Errorf("in the stranger's directory: got %v and %q", err, out)
	}
	if out, err := run([]string{"SIGNET_ADMIN_SOCKET_USER=nobody"}, "user", "list"); err != nil {
		t.Errorf("with the variable: %v: %s", err, out)
	}
	if out, err := run(nil, "user", "list", "--socket", d.AdminSocket); err != nil {
		t.Errorf("root, with --socket, in the directory of its owner: %v: %s", err, out)
	}
}

// TestPlacesOthersCanWriteTo: serve, doctor, config check, init and dev refuse them, each in one line.
func TestPlacesOthersCanWriteTo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "install")
	if _, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0"); code != 0 {
		t.Fatal(stderr)
	}
	file := filepath.Join(dir, "signet.yaml")
	for _, test := range []struct {
		path, says string
		mode, was  fs.FileMode
	}{
		{dir, "data_dir: everybody may write to", 0o777, 0o700},
		{file, "configuration: everybody may write to", 0o666, 0o600},
		{filepath.Join(dir, "signet.db"), "store: ", 0o606, 0o600},
	} {
		if err := os.Chmod(test.path, test.mode); err != nil {
			t.Fatal(err)
		}
		for _, command := range [][]string{{"serve"}, {"config", "check"}, {"doctor"}} {
			stdout, stderr, code := runSignet(t, "", append(command, "--config", file)...)
			if code != 1 || !strings.Contains(stdout+stderr, test.says) && !strings.Contains(stdout, strings.Replace(test.says, ": ", "  ", 1)) && !strings.Contains(stdout, "everybody may") {
				t.Errorf("%s with mode %o: %v exits with %d\n%s%s", test.path, test.mode, command, code, stdout, stderr)
			}
		}
		if err := os.Chmod(test.path, test.was); err != nil {
			t.Fatal(err)
		}
	}
	open := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := runSignet(t, "", "init", "--dir", open, "--issuer", "https://auth.example.com"); code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "everybody may write") {
		t.Errorf("init: exits with %d and %q", code, stderr)
	}
	if _, stderr, code := runSignet(t, "", "dev", "--dir", open, "--listen", "127.0.0.1:0"); code != 1 || !strings.Contains(stderr, "everybody may write") {
		t.Errorf("dev: exits with %d and %q", code, stderr)
	}
}
