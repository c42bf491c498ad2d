package e2e

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

var metricName = regexp.MustCompile(`\bsignet_[a-z_]*[a-z]\b`)

// metricNames are those that the program's source names.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, dir := range []string{"../../../cmd", "../../../server", "../../../store"} {
		err := filepath.WalkDir(dir, func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			for _, name := range regexp.MustCompile(`"(signet_[a-z_]+)"`).FindAllStringSubmatch(readFile(t, file), -1) {
				names[name[1]] = true
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// What the alerts and the pages name exists: an alert on a metric that was renamed never fires.
func TestAlertsNameMetricsThatExist(t *testing.T) {
	known := metricNames(t)
	for _, path := range []string{"../../../deploy/alerts.yaml", "../../../deploy/README.md", "../../../deploy/incidents.md", "../../../store/README.md"} {
		found := 0
		for _, name := range metricName.FindAllString(readFile(t, path), -1) {
			if strings.HasPrefix(name, "signet_rt_") || name == "signet_rt" || name == "signet_cs" {
				continue // a token's or a secret's prefix
			}
			found++
			if !known[strings.TrimSuffix(strings.TrimSuffix(name, "_count"), "_bucket")] {
				t.Errorf("%s names %s, which is no metric", path, name)
			}
		}
		if found == 0 {
			t.Errorf("%s names no metric", path)
		}
	}
}

// Two rows for one metric contradict each other sooner or later.
func TestMetricsHaveOneRow(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| (`signet_[^|]+) \\|").FindAllStringSubmatch(readFile(t, "../../../deploy/README.md"), -1)
	if len(rows) < 10 {
		t.Fatalf("got %d rows", len(rows))
	}
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row[1]] {
			t.Errorf("%s has two rows", row[1])
		}
		seen[row[1]] = true
	}
}

// Every alert is tested, and says how urgent it is and what to do.
func TestAlertsAreComplete(t *testing.T) {
	rules, tests := readFile(t, "../../../deploy/alerts.yaml"), readFile(t, "testdata/alerts_test.yaml")
	alerts := regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(rules, -1)
	if len(alerts) < 10 {
		t.Fatalf("got %d alerts", len(alerts))
	}
	for _, alert := range alerts {
		if !strings.Contains(tests, `"`+alert[1]+`"`) {
			t.Errorf("%s is not tested", alert[1])
		}
	}
	for _, part := range []string{"severity: ", "summary: ", "do: "} {
		if n := strings.Count(rules, part); n != len(alerts) {
			t.Errorf("%d alerts and %d times %q", len(alerts), n, part)
		}
	}
}
