package password

import (
	"bufio"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"signet/server/password/hash"
)

// slotsFor takes as many as there are cores and fit into the memory beside so many helpers. The Go scheduler must have more
// threads than cores while all of them are used, so that a hash never keeps another request from running; see
// Threads.
func slotsFor(cores int, memory uint64, p hash.Params, helpers int) int {
	fit := memory / (uint64(p.Memory) * 1024)
	fit -= min(fit, uint64(helpers))
	return int(max(1, min(uint64(max(cores, 1)), fit)))
}

// MemoryLimit is the least of what Go, the control group and the machine allow, in bytes.
// Whatever cannot be read sets no limit.
func MemoryLimit() uint64 {
	limit := uint64(debug.SetMemoryLimit(-1))
	if b, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		limit = min(limit, parseBytes(string(b), 1))
	}
	return min(limit, machineMemory())
}

func machineMemory() uint64 {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return math.MaxUint64
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if total, ok := strings.CutPrefix(lines.Text(), "MemTotal:"); ok {
			return parseBytes(strings.TrimSuffix(total, "kB"), 1024)
		}
	}
	return math.MaxUint64
}

func parseBytes(s string, unit uint64) uint64 {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
	if err != nil || n == 0 || n > math.MaxUint64/unit {
		return math.MaxUint64
	}
	return n * unit
}
