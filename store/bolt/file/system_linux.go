package file

import (
	"os"
	"syscall"
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// isAt reports whether the path leads to the file that was opened. It asks for the inode alone: Linux gives a
// file an exact time at the next write after a request for its times (multigrain timestamps), and
// to sync that costs every commit one more write to the disk.
func isAt(path string, opened os.FileInfo) (bool, error) {
	was, ok := opened.Sys().(*syscall.Stat_t)
	var is unix.Statx_t
	if !ok || unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_INO, &is) != nil {
		return statIsAt(path, opened) // where the system lacks the call, and for the error
	}
	return is.Ino == was.Ino && unix.Mkdev(is.Dev_major, is.Dev_minor) == uint64(was.Dev), nil
}

const trimAbove = 16 << 20 // bytes of data; a smaller file is not worth it

// TrimMemory gives the pages of the map back. They stay in the kernel's page cache, from which
// they are mapped again when they are read, but no longer count as memory of this process, which
// would otherwise seem to grow to the size of the file. The snapshot holds the map in place.
func (f *File) TrimMemory(tx *bbolt.Tx) error {
	if tx.Size() < trimAbove {
		return nil
	}
	start := f.DB.Info().Data
	mapped := unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), tx.Size())
	return unix.Madvise(mapped, unix.MADV_DONTNEED)
}
