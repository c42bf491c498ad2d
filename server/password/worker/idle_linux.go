package worker

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// enterIdleClass puts every thread of this process in the idle class.
func enterIdleClass() error {
	// A thread inherits the class of the thread that starts it. So there may be new ones of the ordinary class until a
	// round has found none.
	for {
		changed, err := idleRound()
		if err != nil {
			return fmt.Errorf("entering the idle scheduling class: %w", err)
		}
		if !changed {
			return nil
		}
	}
}

func idleRound() (changed bool, err error) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false, err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return false, err
		}
		class, _, failed := unix.Syscall(unix.SYS_SCHED_GETSCHEDULER, uintptr(id), 0, 0)
		if failed == 0 && class != unix.SCHED_IDLE {
			// sched_setattr(2) is a newer way to do it, which filters of system calls forbid more often.
			var priority int32 // struct sched_param
			_, _, failed = unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, uintptr(id), unix.SCHED_IDLE, uintptr(unsafe.Pointer(&priority)))
			changed = true
		}
		if failed != 0 && failed != unix.ESRCH { // that thread has ended
			return false, failed
		}
	}
	return changed, nil
}

// Program returns the path that starts this same program, also after its file was replaced.
func Program() string { return "/proc/self/exe" }

// endsWithParent makes the kernel kill the child when the thread that started it ends.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// cpuTime returns what a process has used of the processors (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, bool) {
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}
