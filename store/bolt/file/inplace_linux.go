package file

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// isAt reports whether the path leads to the file that was opened. It asks for the inode alone: Linux gives a
// file an exact time at the next write after somebody has asked for its times (multigrain timestamps), and
// to sync that costs every commit one more write to the disk.
func isAt(path string, opened os.FileInfo) (bool, error) {
	was, ok := opened.Sys().(*syscall.Stat_t)
	var is unix.Statx_t
	if !ok || unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO, &is) != nil {
		return statIsAt(path, opened) // where the system lacks the call, and for the error
	}
	return is.Ino == was.Ino && unix.Mkdev(is.Dev_major, is.Dev_minor) == uint64(was.Dev), nil
}
