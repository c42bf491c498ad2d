package file

import (
	"unsafe"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

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
