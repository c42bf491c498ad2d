package redistest

import (
	"os"
	"os/exec"
	"testing"
)

const (
	serverProgram   = "redis-server"
	sentinelProgram = "redis-sentinel"
)

// Need skips the test with -short, and where Redis is not installed. With CI=true the latter fails instead: a suite that
// skips what it is there for must not be green.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: it starts redis-server")
	}
	for _, program := range []string{serverProgram, sentinelProgram} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		}
		const how = "%s is not installed; to run this test: apt-get install redis-server redis-sentinel"
		if os.Getenv("CI") == "true" {
			t.Fatalf(how, program)
		}
		t.Skipf(how, program)
	}
}
