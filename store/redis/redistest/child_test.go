package redistest

import (
	"bufio"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// Some tests need a test that fails or dies: this test binary again, running TestChild alone.
const childJob = "SIGNET_REDISTEST_CHILD"

func TestChild(t *testing.T) {
	switch os.Getenv(childJob) {
	case "need":
		Need(t)
	case "linger":
		os.Stdout.WriteString(Start(t, Config{}).Addr() + "\n")
		select {}
	case "fail":
		Start(t, Config{})
		t.Error("on purpose")
	}
}

func child(t *testing.T, job string, env ...string) *exec.Cmd {
	t.Helper()
	if job != "need" {
		Need(t)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(append(os.Environ(), childJob+"="+job), env...)
	return cmd
}

func TestNeed(t *testing.T) {
	t.Parallel()
	for ci, want := range map[string]string{"": "--- SKIP", "true": "--- FAIL"} {
		out, _ := child(t, "need", "PATH=", "CI="+ci).CombinedOutput()
		if got := string(out); !strings.Contains(got, want) || !strings.Contains(got, "apt-get install redis-server redis-sentinel") {
			t.Errorf("CI=%s: got %s, want %s and how to install it", ci, got, want)
		}
	}
}

func TestOutputIsShownWhenATestFails(t *testing.T) {
	t.Parallel()
	out, err := child(t, "fail").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "Ready to accept connections") {
		t.Errorf("got %v and %s, want the server's own words", err, out)
	}
}

// TestServersDieWithTheTestBinary: a test that panics or times out cleans nothing up.
func TestServersDieWithTheTestBinary(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends children with their parent")
	}
	Need(t)
	cmd := child(t, "linger", "TMPDIR="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "127.0.0.1:") {
			addr = lines.Text()
		}
	}
	if c, err := net.Dial("tcp", addr); err != nil {
		t.Errorf("before: %v", err)
	} else {
		c.Close()
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	Wait(t, "the server to be gone", func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return errors.New("it still listens")
		}
		return nil
	})
}

func TestStartTriesAnotherPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	attempts := 0
	s := start(t, serverProgram, Config{}, func(port int) []string {
		if attempts++; attempts == 1 {
			port = taken.Addr().(*net.TCPAddr).Port
		}
		return serverConf(Config{}, port)
	})
	s.Do("ping")
	if attempts != 2 {
		t.Errorf("attempts: got %d, want 2", attempts)
	}
}
