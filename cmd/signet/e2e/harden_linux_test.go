package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestServeIsNotDumpable: the files of a process that cannot be dumped belong to root in /proc
// (proc(5)), so that others of the same user cannot read its memory. And it leaves no core file.
func TestServeIsNotDumpable(t *testing.T) {
	t.Parallel()
	dir := strangersDirectory(t)
	init := asNobody(t, dir, "init", "--dir", dir, "--issuer", "http://127.0.0.1:1", "--listen", "127.0.0.1:0")
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	serve := exec.Command(filepath.Join(dir, "signet"), "serve", "--config", filepath.Join(dir, "signet.yaml"))
	serve.SysProcAttr, serve.Env = init.SysProcAttr, init.Env
	log := &lockedBuffer{}
	serve.Stderr = log
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = serve.Process.Kill(); _ = serve.Wait() }()
	waitFor(t, "the server", func() bool { return strings.Contains(log.String(), `"serving"`) })
	proc := fmt.Sprintf("/proc/%d/", serve.Process.Pid)
	info, err := os.Stat(proc + "mem")
	if err != nil {
		t.Fatal(err)
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 {
		t.Errorf("its memory belongs to user %d, want root", uid)
	}
	limits, err := os.ReadFile(proc + "limits")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(limits)) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && strings.Join(strings.Fields(rest), " ") != "0 0 bytes" {
			t.Errorf("the limit of core files: %s", rest)
		}
	}
}
