package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"signet/store"
)

// auditLines are the lines of the log with an event.
func auditLines(log string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.Contains(line, `"msg":"audit"`) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestRestoreFromLogs: a log counts as far as it is signed, whatever somebody has done to it.
func TestRestoreFromLogs(t *testing.T) {
	t.Parallel()
	d := happen(t, "bolt:signet.db")
	if err := os.Remove(filepath.Join(d.dir, "signet.db")); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(d.log)
	if err != nil {
		t.Fatal(err)
	}
	log := string(raw)
	lines := auditLines(log)
	find := func(text string) string {
		for _, line := range lines {
			if strings.Contains(line, text) {
				return line
			}
		}
		t.Fatalf("the log has no line with %s", text)
		return ""
	}
	disabled := find(`"type":"user.disable"`)
	enabled := func(line string) string { return strings.Replace(line, `"user.disable"`, `"user.enable"`, 1) }
	unsigned := regexp.MustCompile(`,"install".*`).ReplaceAllString(strings.TrimSuffix(disabled, "\n"), "}") + "\n"
	otherInstall := regexp.MustCompile(`"install":"[^"]*"`)
	future := regexp.MustCompile(`"at":"[^"]*"`)
	for _, tc := range []struct {
		name, log string
		disabled  string // users
		gaps      []string
	}{
		{"whole", log, "[bob]", nil},
		{"read twice", log + log, "[bob]", nil},
		{"a forged line that enables", log + enabled(disabled), "[bob]", []string{"were altered or forged"}},
		{"an unsigned line that enables", log + enabled(unsigned), "[bob]", []string{"without a signature"}},
		{"an unsigned line that disables", strings.Replace(log, disabled, unsigned, 1), "[bob]", []string{"the logs lack lines", "without a signature"}},
		{"a line in the year 9998", strings.Replace(log, disabled, future.ReplaceAllString(unsigned, `"at":"9998-01-01T00:00:00Z"`), 1), "[bob]", []string{"the logs lack lines", "have a time in the future"}},
		{"a line is cut out", strings.Replace(log, disabled, "", 1), "[]", []string{"the logs lack lines"}},
		{"two lines in another order", disabled + strings.Replace(log, disabled, "", 1), "[bob]", []string{"in another order"}},
		{"lines of another install", otherInstall.ReplaceAllString(disabled, `"install":"another1"`) + strings.Replace(log, disabled, "", 1), "[]", []string{"the logs lack lines", "are of another install"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := filepath.Join(d.dir, "signet.db")
			defer os.Remove(db)
			path := filepath.Join(t.TempDir(), "log")
			write(t, path, tc.log)
			d.t = t
			report := d.restore("--audit-log", path)
			if got := fmt.Sprint(report.Kept.DisabledUsers); got != tc.disabled {
				t.Errorf("disabled: got %s, want %s", got, tc.disabled)
			}
			if len(report.Gaps) != len(tc.gaps) {
				t.Errorf("gaps: got %q, want %d", report.Gaps, len(tc.gaps))
			}
			for _, want := range tc.gaps {
				if !strings.Contains(strings.Join(report.Gaps, " "), want) {
					t.Errorf("gaps: got %q, want %q among them", report.Gaps, want)
				}
			}
			if report.Kept.Generations == 0 {
				t.Error("the generations of the log were not read")
			}
		})
	}
	t.Run("nothing but lines of another install", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "log")
		write(t, path, otherInstall.ReplaceAllString(strings.Join(lines, ""), `"install":"another1"`))
		out, stderr, code := runSignet(t, "", "restore", d.backup, "--config", d.config, "--audit-log", path)
		if code != exitFailed || out != "" || !strings.Contains(stderr, "is the log of another install; nothing was changed") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("got %d %q %q", code, out, stderr)
		}
	})
}

// TestSpentStaysSpent: after a restore a refresh token that was spent before it is not good again, where the
// log has the refresh; without the log the app goes on, because a loss explains its token.
func TestSpentStaysSpent(t *testing.T) {
	t.Parallel()
	d := happen(t, "bolt:signet.db")
	if err := os.Remove(filepath.Join(d.dir, "signet.db")); err != nil {
		t.Fatal(err)
	}
	d.restore("--audit-log", d.log)
	r := d.start()
	d.app.wantRefused("a token that was spent after the backup", d.keptRefresh)
	if events := r.admin("", "audit", "list", "--type", store.EventRefreshReuse, "-o", "json"); !strings.Contains(events, `"reuse"`) {
		t.Errorf("the reuse is not on the trail: %s", events)
	}
}
