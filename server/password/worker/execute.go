package worker

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
)

// execute starts a program as a child.
func execute(program string, args []string) (child, error) {
	cmd := exec.Command(program)
	cmd.Args, cmd.Env, cmd.Dir, cmd.SysProcAttr = args, []string{}, "/", endsWithParent()
	reason := &firstLine{}
	cmd.Stderr = reason
	in, err := cmd.StdinPipe()
	if err != nil {
		return child{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	if err := cmd.Start(); err != nil {
		return child{}, err
	}
	return child{in: in, out: out, pid: cmd.Process.Pid,
		kill: func() { _ = cmd.Process.Kill() },
		wait: func() error {
			err := cmd.Wait()
			if err == nil {
				err = errors.New("exit status 0")
			}
			if line := reason.String(); line != "" {
				return fmt.Errorf("%w: %s", err, line)
			}
			return err
		}}, nil
}

// firstLine keeps the beginning of what a child writes to its standard error, which is why it ends.
type firstLine struct {
	mu   sync.Mutex
	line []byte // guarded by mu
}

// Write keeps what belongs to the first line. It never fails.
func (f *firstLine) Write(b []byte) (int, error) {
	const most = 200
	f.mu.Lock()
	defer f.mu.Unlock()
	if !bytes.Contains(f.line, []byte("\n")) {
		f.line = append(f.line, b[:min(len(b), most-min(len(f.line), most))]...)
	}
	return len(b), nil
}

func (f *firstLine) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, _, _ := bytes.Cut(f.line, []byte("\n"))
	return string(line)
}
