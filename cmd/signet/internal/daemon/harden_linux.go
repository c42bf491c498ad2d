package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hardenProcess protects the keys in memory from other processes of the same user: the process cannot be traced or read
// through /proc, and leaves no core file. Root can still read them.
func hardenProcess() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process undumpable: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("setting the limit of core files: %w", err)
	}
	return nil
}
