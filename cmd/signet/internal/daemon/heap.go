package daemon

import "signet/server/password"

// mostSpare is the most bytes that spareHeap reserves.
const mostSpare = 16 << 20

// spareHeap returns memory that is never touched, so that it takes address space and no pages. The garbage collector
// runs when the heap has doubled. What lives in the heap of this server is some 4 MiB, so it would run every few dozen
// requests; with the reserve counted, it runs every few hundred. The reserve is at most a sixteenth of the memory that
// this process may use. GOGC and GOMEMLIMIT keep their meaning.
func spareHeap() []byte {
	return make([]byte, min(mostSpare, password.MemoryLimit()/16))
}
