package worker

import (
	"os"
	"testing"
	"time"
)

// The processor time of a process is what it has used, and there is none of a process that is gone.
func TestCPUTime(t *testing.T) {
	before, ok := cpuTime(os.Getpid())
	if !ok || before <= 0 {
		t.Fatalf("got %v, %t", before, ok)
	}
	for begun := time.Now(); ; {
		after, ok := cpuTime(os.Getpid())
		if !ok {
			t.Fatal("it cannot be read any more")
		}
		if after-before >= 10*time.Millisecond {
			break
		}
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("busy for 30 s, and used %v", after-before)
		}
	}
	if used, ok := cpuTime(1 << 22); ok { // the largest pid there can be is one less
		t.Errorf("of no process: got %v", used)
	}
}
