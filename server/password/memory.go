package password

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
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

// usableCores returns how many hashes can run at once without a limit of the control group on processor time stopping
// everything, the server too, for a part of each period: the limit rounded down, at least 1. Go rounds it up, to at least 2.
func usableCores() int {
	b, _ := os.ReadFile("/sys/fs/cgroup/cpu.max")
	return coresWithin(runtime.GOMAXPROCS(0), string(b))
}

// coresWithin reads cpu.max of the kernel's cgroup-v2: the limit and its period in microseconds, or "max".
func coresWithin(cores int, cpuMax string) int {
	var limit, period uint64
	if n, _ := fmt.Sscan(cpuMax, &limit, &period); n != 2 || period == 0 {
		return cores
	}
	return int(max(1, min(uint64(cores), limit/period)))
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
