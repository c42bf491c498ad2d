package worker

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page where pages have 4 KiB. A multiple of the real size does no harm.
const hugePage = 2 << 20

// reserveHugePages asks the kernel for huge pages where the next large objects of the heap will lie, of so many bytes together
// (MADV_HUGEPAGE in madvise(2)). A hash reads its memory in random order, so with small pages it waits for their
// addresses too: that is a tenth of its time. A kernel that has no huge pages to give does without.
func reserveHugePages(size uint64) {
	if size < hugePage {
		return
	}
	// Allocating is the only way to find where the next object will lie. The advice is for the addresses, and stays when the object is freed.
	b := make([]byte, size+hugePage)
	skip := -uintptr(unsafe.Pointer(&b[0])) % hugePage
	_ = unix.Madvise(b[skip:][:size/hugePage*hugePage], unix.MADV_HUGEPAGE)
	runtime.KeepAlive(b)
	b = nil
	runtime.GC()
}
