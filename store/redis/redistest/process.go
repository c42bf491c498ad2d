package redistest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// A process is one run of a server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// startProcess runs program in dir, with its output appended to a file there. The output does not
// go through a pipe, because a server must not block on a test that no longer reads.
func startProcess(dir string, env []string, program string, args ...string) (*process, error) {
	output, err := os.OpenFile(outputFile(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer output.Close() // the child has its own descriptor
	p := &process{cmd: exec.Command(program, args...), done: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, output, output
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = dieWithParent()

	started := make(chan error)
	go func() {
		// The kernel takes the thread that started a child for its parent, and ends the child with
		// that thread. So the thread is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // killed is how most of them end
			close(p.done)
		}
	}()
	return p, <-started
}

func outputFile(dir string) string { return filepath.Join(dir, "output.log") }

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// kill returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.done
}

// terminate asks the process to end, and reports whether it did in time.
func (p *process) terminate(atMost time.Duration) bool {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
		return true
	case <-time.After(atMost):
		return false
	}
}
