//go:build unix

package file

import (
	"os"

	"golang.org/x/sys/unix"
)

// unlock gives the lock back where bbolt panicked while it held it. Closing the file is not
// enough: the map that bbolt has left behind keeps it open.
func unlock(file *os.File) { unix.Flock(int(file.Fd()), unix.LOCK_UN) }
