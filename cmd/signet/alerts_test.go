package main

import (
	"regexp"
	"strings"
	"testing"
)

var (
	metricName    = regexp.MustCompile(`\bsignet_[a-z_]*[a-z]\b`)
	metricLiteral = regexp.MustCompile(`"(signet_[a-z_]+)"`)
)

// metricNames returns the names of metrics in the program's sources.
func metricNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, directory := range []string{"cmd", "server"} {
		for _, source := range sources(t, directory) {
			for _, m := range metricLiteral.FindAllStringSubmatch(source, -1) {
				names[m[1]] = true
			}
		}
	}
	return names
}

// What the alerts and the pages name exists: an alert on a metric that was renamed never fires.
func TestAlertsNameMetricsThatExist(t *testing.T) {
	known := metricNames(t)
	for _, path := range []string{"deploy/alerts.yaml", "deploy/README.md", "deploy/incidents.md", "store/README.md"} {
		found := 0
		for _, name := range metricName.FindAllString(page(t, path), -1) {
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
	rows := regexp.MustCompile("(?m)^\\| (`signet_[^|]+) \\|").FindAllStringSubmatch(page(t, "deploy/README.md"), -1)
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

// Every alert is tested, and has how urgent it is and what to do.
func TestAlertsAreComplete(t *testing.T) {
	rules, tests := page(t, "deploy/alerts.yaml"), page(t, "cmd/signet/e2e/testdata/alerts_test.yaml")
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
