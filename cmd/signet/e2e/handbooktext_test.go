package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// notHandbook lists the pages without commands of their own, and those that CI or another test runs.
var notHandbook = []string{"CHANGELOG.md", "deploy/examples/fastapi/README.md", "server/testdata/http/README.md"}

// allPages returns the path of every Markdown file of the repository.
func allPages(t *testing.T) (paths []string) {
	t.Helper()
	const top = "../../.."
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "node_modules", "signet-data"}, d.Name()):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".md"):
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

// TestHandbookIsWhole: the commands of every page are run, except those of the pages for contributors.
func TestHandbookIsWhole(t *testing.T) {
	for _, path := range allPages(t) {
		if !slices.Contains(handbook, path) && !slices.Contains(notHandbook, path) && !strings.HasPrefix(path, ".github/") {
			t.Errorf("nothing runs the commands of %s; add it to handbook", path)
		}
	}
}

// The first two commands of the README are these, to the letter. .ci/run takes the second from there.
func TestReadmeBeginsWithTwoCommands(t *testing.T) {
	var first []string
	for _, b := range parseBlocks(t, "README.md", page(t, "README.md")) {
		if b.lang == "sh" && len(first) < 2 {
			first = append(first, strings.TrimSpace(b.text))
		}
	}
	if want := []string{readmeDev, readmeSuite}; !slices.Equal(first, want) {
		t.Errorf("README.md begins with the commands %q, want %q", first, want)
	}
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
				info, err := os.Stat(filepath.Join("../../..", target))
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
	flagName    = regexp.MustCompile(`(?:^| )(--[a-z][a-z-]*)`)
)

// TestPagesNameCommands: each command and flag that a page names is one of the program's.
func TestPagesNameCommands(t *testing.T) {
	help := map[string]string{}
	for _, path := range append(allPages(t), "deploy/alerts.yaml") {
		text := page(t, path)
		found := append(commandSpan.FindAllStringSubmatch(text, -1), commandLine.FindAllStringSubmatch(text, -1)...)
		for _, m := range found {
			if path == "CHANGELOG.md" {
				continue // it also names what is gone
			}
			command, _, _ := strings.Cut(m[1], "#")
			command, _, _ = strings.Cut(command, "|")
			name, text := helpOf(t, help, strings.Fields(command))
			if name == "" {
				t.Errorf("%s: there is no command %q", path, m[1])
			}
			for _, flag := range flagName.FindAllStringSubmatch(command, -1) {
				if !strings.Contains(text, flag[1]+" ") && !strings.Contains(text, flag[1]+",") {
					t.Errorf("%s: signet %s has no flag %s", path, name, flag[1])
				}
			}
		}
	}
	if len(help) < 20 {
		t.Errorf("got %d commands on the pages, want more: are they still found?", len(help))
	}
}

// helpOf returns the command that words begin with and the help of it. Its name is empty where there is none.
func helpOf(t *testing.T, known map[string]string, words []string) (name, text string) {
	t.Helper()
	end := 0
	for end < min(2, len(words)) && commandWord.MatchString(words[end]) {
		end++
	}
	for ; end > 0; end-- {
		name = strings.Join(words[:end], " ")
		if _, ok := known[name]; !ok {
			out, err := exec.Command(signetBinary(t), append(words[:end:end], "--help")...).CombinedOutput()
			if err != nil || !bytes.Contains(out, []byte("\n  signet "+name)) {
				out = nil
			}
			known[name] = string(out)
		}
		isGroup := strings.Contains(known[name], "\nCommands:\n")
		if known[name] != "" && (!isGroup || end == len(words) || !commandWord.MatchString(words[end])) {
			return name, known[name] + connectionFlags
		}
	}
	return "", ""
}

// connectionFlags are those that `signet help connection` explains for every command that talks to a server.
const connectionFlags = " --socket --config --admin --admin-token-file --help "

// TestErrorsAreExplained: the table of errors has every code that a public endpoint answers, and no other.
func TestErrorsAreExplained(t *testing.T) {
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| \\d{3} \\| `(\\w+)` \\|").FindAllStringSubmatch(page(t, "server/README.md"), -1) {
		documented[m[1]] = true
	}
	answered := map[string]bool{}
	err := filepath.WalkDir("../../../server", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "admin" || name == "testdata"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "admin"):
			for _, m := range regexp.MustCompile(`Code:\s*"(\w+)"`).FindAllStringSubmatch(readFile(t, path), -1) {
				answered[m[1]] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
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
