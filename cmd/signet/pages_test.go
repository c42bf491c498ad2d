package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"signet/cmd/signet/internal/cli"
)

// The commands of the pages are run in package e2e. What can be compared without running anything is compared here.

// top is the repository.
const top = "../.."

func page(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(top, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// sources returns the text of every Go file below a directory, without tests, by its path in the repository.
func sources(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range files(t, directory, ".go") {
		if !strings.HasSuffix(path, "_test.go") {
			found[path] = page(t, path)
		}
	}
	return found
}

// allPages returns the path of every Markdown file of the repository.
func allPages(t *testing.T) []string { return files(t, ".", ".md") }

// files returns the paths in the repository of the files below a directory whose names end with suffix.
func files(t *testing.T, directory, suffix string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(top, directory), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "signet-data"}, d.Name()):
			return filepath.SkipDir
		case strings.HasSuffix(path, suffix):
			relative, err := filepath.Rel(top, path)
			paths = append(paths, filepath.ToSlash(relative))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

var (
	heading   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notAnchor = regexp.MustCompile(`[^\w -]`)
	linkTo    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
)

// anchors returns the anchors of a page's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		anchor := notAnchor.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(anchor, " ", "-")] = true
	}
	return found
}

// TestLinks: the links of every page to files and headings lead somewhere.
func TestLinks(t *testing.T) {
	count := 0
	for _, path := range allPages(t) {
		text := page(t, path)
		for _, m := range linkTo.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			count++
			target, anchor, _ := strings.Cut(m[1], "#")
			other := text
			if target != "" {
				target = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
				info, err := os.Stat(filepath.Join(top, target))
				if err != nil {
					t.Errorf("%s: the link to %s: %v", path, m[1], err)
					continue
				}
				if info.IsDir() || anchor == "" {
					continue
				}
				other = page(t, target)
			}
			if !anchors(other)[anchor] {
				t.Errorf("%s: there is no heading for %s", path, m[1])
			}
		}
	}
	if count < 50 {
		t.Errorf("got %d links to files, want more: are they still found?", count)
	}
}

var (
	commandSpan = regexp.MustCompile("`signet ([a-z][^`]*)`")
	commandLine = regexp.MustCompile(`(?m)^ *(?:[A-Z_]+=\S+ )*(?:\| *)?signet ([a-z].*)$`)
	commandWord = regexp.MustCompile(`^[a-z][a-z-]*$`)
	flagName    = regexp.MustCompile(`(?:^| )--([a-z][a-z-]*)`)
)

// TestPagesNameCommands: each command and flag that a page names is one of the program's.
func TestPagesNameCommands(t *testing.T) {
	root := newRoot(&cli.App{Out: io.Discard, Err: io.Discard})
	count := 0
	for _, path := range append(allPages(t), "deploy/alerts.yaml") {
		if path == "CHANGELOG.md" {
			continue // it also names what is gone
		}
		text := page(t, path)
		for _, m := range append(commandSpan.FindAllStringSubmatch(text, -1), commandLine.FindAllStringSubmatch(text, -1)...) {
			count++
			command, _, _ := strings.Cut(m[1], "#")
			command, _, _ = strings.Cut(command, "|")
			if strings.HasPrefix(command, "help ") {
				continue
			}
			words := strings.Fields(command)
			found, rest, err := root.Find(words[:min(2, len(words))])
			if err != nil || found == root || found.HasSubCommands() && len(rest) > 0 && commandWord.MatchString(rest[0]) {
				t.Errorf("%s: there is no command %q", path, m[1])
				continue
			}
			for _, flag := range flagName.FindAllStringSubmatch(command, -1) {
				if !hasFlag(found, flag[1]) {
					t.Errorf("%s: signet %s has no flag --%s", path, found.Name(), flag[1])
				}
			}
		}
	}
	if count < 100 {
		t.Errorf("got %d commands on the pages, want more: are they still found?", count)
	}
}

func hasFlag(cmd *cobra.Command, name string) bool {
	return name == "help" || cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}

// TestPackagesAreOnTheMap: the architecture page has every package, and none that is not there.
func TestPackagesAreOnTheMap(t *testing.T) {
	const path = ".github/ARCHITECTURE.md"
	mapped := map[string]bool{"deploy": true} // has no code
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\|").FindAllStringSubmatch(page(t, path), -1) {
		mapped[m[1]] = true
		if _, exists := arrows[m[1]]; !exists && m[1] != "deploy" {
			t.Errorf("%s has the package %s, which does not exist", path, m[1])
		}
	}
	for name := range arrows {
		if !mapped[name] {
			t.Errorf("%s does not have the package %s: add a row", path, name)
		}
	}
}

// TestErrorsAreExplained: the table of errors has every code that a public endpoint answers, and no other.
func TestErrorsAreExplained(t *testing.T) {
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| \\d{3} \\| `(\\w+)` \\|").FindAllStringSubmatch(page(t, "server/README.md"), -1) {
		documented[m[1]] = true
	}
	answered := map[string]bool{}
	for path, source := range sources(t, "server") {
		if strings.HasPrefix(path, "server/admin") {
			continue
		}
		for _, m := range regexp.MustCompile(`Code:\s*"(\w+)"`).FindAllStringSubmatch(source, -1) {
			answered[m[1]] = true
		}
	}
	for code := range answered {
		if !documented[code] {
			t.Errorf("server/README.md does not explain the error %s", code)
		}
	}
	for code := range documented {
		if !answered[code] {
			t.Errorf("server/README.md explains the error %s, which nothing answers", code)
		}
	}
}

// The defaults in the tables of settings are those of the example configuration, which has its own test against the
// program's.
func TestTablesOfSettings(t *testing.T) {
	var example map[string]any
	if err := yaml.Unmarshal([]byte(page(t, "deploy/signet.example.yaml")), &example); err != nil {
		t.Fatal(err)
	}
	settings := func(path, section, pattern string, name, value, least int) {
		_, text, _ := strings.Cut(page(t, path), "\n"+section+"\n")
		rows := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
		if len(rows) < least {
			t.Fatalf("%s: got %d rows with defaults, want them all", path, len(rows))
		}
		for _, row := range rows {
			var have any = example
			for key := range strings.SplitSeq(row[name], ".") {
				section, _ := have.(map[string]any)
				have = section[key]
			}
			if fmt.Sprint(have) != row[value] {
				t.Errorf("%s: %s has %s on the page, want %v", path, row[name], row[value], have)
			}
		}
	}
	settings("server/README.md", "## Limits", "(?m)^\\| [^|]+ \\| (\\w+) \\| `([\\w.]+)`", 2, 1, 20)
	settings("keys/README.md", "## The timetable", "(?m)^\\| `(keys\\.\\w+)` \\| (\\w+) \\|", 1, 2, 10)
}
