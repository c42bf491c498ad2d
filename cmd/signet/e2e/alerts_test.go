package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestAlerts asks Prometheus's own tool whether the alerts are well-formed, and whether each fires
// when it should and keeps still when it should.
func TestAlerts(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		needs(t, "promtool", "apt-get install --no-install-recommends prometheus")
	}
	for _, args := range [][]string{{"check", "rules", "../../../deploy/alerts.yaml"}, {"test", "rules", "testdata/alerts_test.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
