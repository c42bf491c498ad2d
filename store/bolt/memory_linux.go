package bolt

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	trimAbove = 16 << 20 // bytes of data; a smaller file is not worth it
	trimEvery = time.Minute
)

// trimMemory gives the pages of the map back. They stay in the kernel's page cache, from which
// they are mapped again when they are read, but no longer count as memory of this process, which
// would otherwise seem to grow to the size of the file.
func (s *Store) trimMemory() {
	now := s.now()
	if now.Sub(s.sweeper.trimmed) < trimEvery {
		return
	}
	s.sweeper.trimmed = now
	s.view(func(tx snapshot) error { // a snapshot holds the map in place
		if tx.Size() < trimAbove {
			return nil
		}
		start := s.db.Info().Data
		mapped := unsafe.Slice(*(**byte)(unsafe.Pointer(&start)), tx.Size())
		return unix.Madvise(mapped, unix.MADV_DONTNEED)
	})
}
