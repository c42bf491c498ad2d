package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/store/redis/redistest"
)

// dashboardQueries returns the queries of deploy/grafana/signet.json, with Grafana's variables filled in.
func dashboardQueries(t *testing.T) (queries []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string } `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(page(t, "deploy/grafana/signet.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries = append(queries, fill.Replace(target.Expr))
		}
	}
	if len(queries) < 20 {
		t.Fatalf("got %d queries", len(queries))
	}
	return queries
}

var (
	metricSample   = regexp.MustCompile(`(?m)^(signet_\w+(?:\{[^}]*\})?) \S+$`)
	metricSelector = regexp.MustCompile(`(signet_\w+)\{([^}]*)\}`)
	labelName      = regexp.MustCompile(`(\w+)(?:=|=~)"`)
	groupedBy      = regexp.MustCompile(`by \(([^)]*)\)`)
)

// recorded returns the samples of two servers, one on each kind of store, after logins and refreshes.
func recorded(t *testing.T) []string {
	t.Helper()
	dev := startDev(t, t.TempDir())
	_, body := post(t, dev.demo.Issuer+"/token", dev.demo.login())
	refresh, _ := body["refresh_token"].(string)
	for range 2 {
		post(t, dev.demo.Issuer+"/token", dev.demo.refresh(refresh))
	}
	dir := filepath.Join(shortDir(t), "etc")
	if _, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "http://127.0.0.1", "--listen", "127.0.0.1:0",
		"--store", "redis://"+redistest.Start(t, redistest.Config{}).Addr()); code != exitDone {
		t.Fatalf("init: %s", stderr)
	}
	config := filepath.Join(dir, "signet.yaml")
	appendTo(t, config, "\nshutdown: {delay: 0s}\nlog: {format: text}\n")
	shared, address := startServe(t, config)
	shared.demo.AdminSocket = filepath.Join(dir, "admin.sock")
	if resp, err := http.Get("http://" + address + "/readyz"); err == nil {
		resp.Body.Close()
	}
	var samples []string
	for _, metrics := range []string{dev.metrics(), shared.metrics()} {
		for _, m := range metricSample.FindAllStringSubmatch(metrics, -1) {
			samples = append(samples, m[1])
		}
	}
	slices.Sort(samples)
	return slices.Compact(samples)
}

// TestDashboard: each query of the dashboard is of metrics and labels that servers export, Prometheus accepts it, and it has a
// result for what was recorded of two servers.
func TestDashboard(t *testing.T) {
	t.Parallel()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		needs(t, "promtool", "apt-get install --no-install-recommends prometheus")
	}
	samples := recorded(t)
	labels := map[string]map[string]bool{}
	for _, sample := range samples {
		name, rest, _ := strings.Cut(sample, "{")
		if labels[name] == nil {
			labels[name] = map[string]bool{"instance": true}
		}
		for _, m := range labelName.FindAllStringSubmatch(rest, -1) {
			labels[name][m[1]] = true
		}
	}
	// These appear with the first failure of Redis.
	labels["signet_store_errors_total"] = map[string]bool{"instance": true, "operation": true}
	var rules, tests strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	tests.WriteString("rule_files: [rules.yaml]\ntests:\n- interval: 1m\n  input_series:\n")
	for _, sample := range samples {
		name, rest, has := strings.Cut(sample, "{")
		if has {
			rest = "," + rest
		} else {
			rest = "}"
		}
		fmt.Fprintf(&tests, "  - {series: '%s{instance=\"one\"%s', values: 1+1x20}\n", name, rest)
	}
	tests.WriteString("  alert_rule_test:\n")
	for i, query := range dashboardQueries(t) {
		for _, selector := range metricSelector.FindAllStringSubmatch(query, -1) {
			known := labels[selector[1]]
			if known == nil {
				t.Errorf("%s is no metric: %s", selector[1], query)
				continue
			}
			used := labelName.FindAllStringSubmatch(selector[2], -1)
			for _, m := range used {
				if !known[m[1]] {
					t.Errorf("%s has no label %s: %s", selector[1], m[1], query)
				}
			}
			for _, m := range groupedBy.FindAllStringSubmatch(query, -1) {
				for label := range strings.SplitSeq(m[1], ", ") {
					if !known[label] {
						t.Errorf("%s has no label %s: %s", selector[1], label, query)
					}
				}
			}
		}
		fmt.Fprintf(&rules, "  - {alert: Query%d, expr: 'count(%s) > 0'}\n", i, query)
		if !strings.Contains(query, "signet_store_errors_total") {
			fmt.Fprintf(&tests, "  - {eval_time: 15m, alertname: Query%d, exp_alerts: [{exp_labels: {}}]}\n", i)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), rules.String())
	write(t, filepath.Join(dir, "tests.yaml"), tests.String())
	for _, args := range [][]string{{"check", "rules", "rules.yaml"}, {"test", "rules", "tests.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
