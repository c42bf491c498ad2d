package keychart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys/jose"
	"signet/keys/rotation"
	"signet/keys/timetable"
	"signet/server/admin/api"
)

// examplePlan is a year, ten days after an install began, in which a key was revoked yesterday.
func examplePlan(t *testing.T, tt timetable.Timetable, algs ...string) api.KeyPlan {
	t.Helper()
	start := time.Date(2026, 11, 5, 9, 30, 0, 0, time.UTC)
	fresh := &rotation.Fresh{Made: map[string][]string{}}
	for n := range 2 * len(algs) {
		alg := algs[n%len(algs)]
		fresh.Made[alg] = append(fresh.Made[alg], fmt.Sprintf("%c7Qx_f%s-2vZ1mVnXo0m4", 'b'+n, alg))
	}
	ring, _, err := rotation.First(tt, algs, start, fresh)
	if err != nil {
		t.Fatal(err)
	}
	now := start.Add(tt.Active / 3)
	long := min(365*24*time.Hour, 12*tt.Active)
	plan, err := rotation.NewPlan(ring, tt, algs, now, now.Add(long))
	if err != nil {
		t.Fatal(err)
	}
	p := api.KeyPlan{Version: 7, From: plan.From, Until: plan.Until}
	for _, k := range plan.Keys {
		p.Keys = append(p.Keys, api.PlannedKey{Name: k.Name, KID: k.KID, Alg: k.Alg, PublishedAt: k.PublishAt, ActivatesAt: k.ActivateAt, RetiresAt: k.RetireAt, RemovedAt: k.RemoveAt})
	}
	for _, s := range plan.Steps {
		p.Steps = append(p.Steps, api.PlannedStep{At: s.At, Step: s.Step, Name: s.Name, Alg: s.Alg})
	}
	revoked := api.PlannedKey{Name: "Revoked-key", KID: "Revoked-key", Alg: algs[0], State: "revoked",
		PublishedAt: start.Add(-tt.Publish), ActivatesAt: start, RevokedAt: start.Add(tt.Active / 4)}
	p.Keys = append([]api.PlannedKey{revoked}, p.Keys...)
	return p
}

// presetTimetable returns the timetable of a preset of the configuration.
func presetTimetable(t *testing.T, preset string) timetable.Timetable {
	t.Helper()
	cfg, _, err := config.Load("", []string{"SIGNET_ISSUER=https://auth.example.com", "SIGNET_KEYS_PRESET=" + preset})
	if err != nil {
		t.Fatal(err)
	}
	return install.KeyringConfig(cfg, nil, "", nil).Timetable
}

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file of testdata, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func printedPlan(t *testing.T, p api.KeyPlan, f cli.Format, environ ...string) string {
	t.Helper()
	var out bytes.Buffer
	app := &cli.App{Out: &out, Err: io.Discard, Environ: environ, Format: f}
	if err := Print(app, p); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPlanIsDrawn(t *testing.T) {
	p := examplePlan(t, timetable.Default(), jose.ES256, jose.RS256)
	golden(t, "plan.golden", printedPlan(t, p, cli.FormatTable, "LANG=de_DE.UTF-8"))
	golden(t, "plan-ascii.golden", printedPlan(t, p, cli.FormatTable, "LC_ALL=C", "LANG=de_DE.UTF-8"))
	golden(t, "plan.svg", printedPlan(t, p, cli.FormatSVG))
	seconds := presetTimetable(t, "fast")
	golden(t, "plan-fast.golden", printedPlan(t, examplePlan(t, seconds, jose.ES256), cli.FormatTable, "LANG=C.UTF-8"))
}

// A timeline keeps to its width, also where nothing fits well, and to ASCII where that is wanted.
func TestTimelineFits(t *testing.T) {
	for _, preset := range []string{"standard", "strict", "fast"} {
		tt := presetTimetable(t, preset)
		p := examplePlan(t, tt, jose.ES256)
		for _, width := range []int{cli.LeastWidth, cli.DefaultWidth, cli.MostWidth} {
			for line := range strings.SplitSeq(newTimeline(p, width, false).rows(), "\n") {
				if len(line) > width || strings.ContainsFunc(line, func(r rune) bool { return r > '~' }) {
					t.Errorf("%s, width %d: got %d bytes: %s", preset, width, len(line), line)
				}
			}
		}
	}
}

// Every key that signs within the plan shows that it does, however short it does.
func TestTimelineShowsEveryKey(t *testing.T) {
	tt := timetable.Default()
	tt.Active, tt.Publish = 3*24*time.Hour, 24*time.Hour
	p := examplePlan(t, tt, jose.ES256)
	p.Until = p.From.Add(10 * 365 * 24 * time.Hour)
	timeline := newTimeline(p, cli.DefaultWidth, false)
	for _, k := range timeline.groups[0].keys {
		if bar := timeline.bar(k); k.ActivatesAt.After(p.From) && !strings.Contains(bar, "#") {
			t.Errorf("%s: got %q", k.Name, bar)
		}
	}
}

// The picture is well-formed, fetches and runs nothing, and shows what others wrote as text.
func TestPictureStandsForItself(t *testing.T) {
	p := examplePlan(t, timetable.Default(), jose.ES256)
	p.Keys[1].Name = `<b>&"`
	picture := drawSVG(p)
	for decoder := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok {
			switch e.Name.Local {
			case "svg", "title", "style", "rect", "text", "path":
			default:
				t.Errorf("there is a <%s> in it", e.Name.Local)
			}
		}
	}
	for _, foreign := range []string{"href", "url(", "@import", "onload"} {
		if strings.Contains(picture, foreign) {
			t.Errorf("there is a %s in it", foreign)
		}
	}
}

func TestTicksAreFew(t *testing.T) {
	for long := 10 * time.Second; long < 20*365*24*time.Hour; long = long * 5 / 4 {
		p := api.KeyPlan{From: time.Date(2026, 11, 5, 9, 30, 7, 0, time.UTC)}
		p.Until = p.From.Add(long)
		for _, most := range []int{5, 8, 14} {
			if n := len(newChart(p).ticks(most)); n > most || n == 0 && long > time.Minute {
				t.Errorf("%v: got %d ticks, want 1 to %d", long, n, most)
			}
		}
	}
}
