package e2e

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notHandbook lists the pages without commands of their own, and those that CI or another test runs.
var notHandbook = []string{"CHANGELOG.md", "deploy/examples/fastapi/README.md", "deploy/helm/README.md", "deploy/install.md", "server/testdata/script/README.md"}

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
