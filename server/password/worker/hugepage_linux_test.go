package worker

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The kernel has the advice for as many addresses as were asked for, and it stays when the memory there is given back.
func TestReserveHugePages(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil {
		t.Skip("this kernel has no transparent huge pages")
	}
	const size = 60 << 20
	before := advised(t)
	reserveHugePages(size)
	if got := advised(t) - before; got < size {
		t.Errorf("%d bytes are advised, want at least %d", got, size)
	}
}

func TestReserveNoHugePages(t *testing.T) {
	before := advised(t)
	reserveHugePages(hugePage - 1)
	if got := advised(t); got != before {
		t.Errorf("%d bytes more are advised", got-before)
	}
}

// advised returns how many bytes of addresses have the advice (proc_pid_smaps(5), the flag hg).
func advised(t *testing.T) (bytesAdvised int) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		line := lines.Text()
		if _, err := fmt.Sscanf(line, "Size: %d kB", &size); err == nil {
			continue
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && strings.Contains(flags+" ", " hg ") {
			bytesAdvised += size << 10
		}
	}
	return bytesAdvised
}
