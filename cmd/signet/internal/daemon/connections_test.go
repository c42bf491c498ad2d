package daemon

import (
	"math"
	"testing"
)

func TestConnectionLimit(t *testing.T) {
	const gib = 1 << 30
	for _, row := range []struct {
		name          string
		wanted        int
		files, memory uint64
		limit         int
		lowered       bool
	}{
		{"nothing is scarce", 0, math.MaxUint64, math.MaxUint64, 10_000, false},
		{"a container's small limit of files", 0, 1024, 8 * gib, 768, false},
		{"little memory", 0, 65536, gib / 2, 1024, false},
		{"next to no memory", 0, 65536, 1 << 20, 64, false},
		{"hardly a file", 0, 3, 8 * gib, 1, false},
		{"an operator's number", 50_000, 100_000, gib / 2, 50_000, false},
		{"a number beyond the files", 50_000, 1024, 8 * gib, 768, true},
	} {
		limit, lowered := connectionLimit(row.wanted, row.files, row.memory)
		if limit != row.limit || lowered != row.lowered {
			t.Errorf("%s: got %d, lowered %v, want %d, %v", row.name, limit, lowered, row.limit, row.lowered)
		}
	}
}
