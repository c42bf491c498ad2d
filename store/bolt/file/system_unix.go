//go:build unix

package file

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// unlock gives the lock back where bbolt panicked while it held it. Closing the file is not
// enough: the map that bbolt has left behind keeps it open.
func unlock(file *os.File) { unix.Flock(int(file.Fd()), unix.LOCK_UN) }

// sameOwner gives the file at path the owner and group of another. Without the right to, it must have
// them already.
func sameOwner(path string, of os.FileInfo) error {
	want, ok := of.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if have, ok := info.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	return os.Chown(path, int(want.Uid), int(want.Gid))
}
