//go:build !linux

package worker

import (
	"errors"
	"syscall"
	"time"
)

// Program returns "": without an idle class, hashes run in the server.
func Program() string { return "" }

func enterIdleClass() error { return errors.New("this system has no idle scheduling class") }

func endsWithParent() *syscall.SysProcAttr { return nil }

func cpuTime(int) (time.Duration, bool) { return 0, false }
