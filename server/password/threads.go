package password

import (
	"sync"
	"time"
)

// Threads raises the number of threads that run Go code while hashes run on all cores: the operating system
// then shares the cores between them and everything else, so that a hash never keeps another request from
// running. Without such a rush there are as many threads as cores: idle ones cost every request some
// processor time, because they look for work. Where a worker hashes, a single hash in this process is a rush: it
// runs here because other programs fill the cores.
type Threads struct {
	cores, extra int
	rush         int // as many hashes at once as make one
	set          func(n int)
	calm         time.Duration // how long after a rush the threads are raised

	mu      sync.Mutex
	running int       // guarded by mu; hashes
	raised  bool      // guarded by mu
	last    time.Time // guarded by mu; of the rush
}

// NewThreads returns Threads for so many cores. set is called with the number of threads that there should
// be, and is never called by two goroutines at once: runtime.GOMAXPROCS does.
func NewThreads(cores int, set func(n int)) *Threads {
	return &Threads{cores: cores, rush: cores, set: set, calm: 2 * time.Second}
}

// begin counts a hash that starts. A nil *Threads does nothing.
func (t *Threads) begin() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running++; t.running < t.rush {
		return
	}
	t.last = time.Now()
	if !t.raised {
		t.raised = true
		t.set(t.cores + t.extra)
		time.AfterFunc(t.calm, t.lower)
	}
}

func (t *Threads) end() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running >= t.rush {
		t.last = time.Now()
	}
	t.running--
}

// lower ends what begin has raised, or looks again later.
func (t *Threads) lower() {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.calm - time.Since(t.last)
	if t.running >= t.rush {
		left = t.calm
	}
	if left > 0 {
		time.AfterFunc(left, t.lower)
		return
	}
	t.raised = false
	t.set(t.cores)
}
