package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// npmFolder copies a folder of testdata to where packages may be put beside it, installs those that
// its lock file names, and returns node and the copy. No script of a package is run.
func npmFolder(t testing.TB, source string) (node, folder string) {
	t.Helper()
	node, err := exec.LookPath("node")
	npm, npmErr := exec.LookPath("npm")
	if err != nil || npmErr != nil {
		needs(t, "node", "apt-get install nodejs npm")
	}
	folder = t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(filepath.Join("testdata", source))); err != nil {
		t.Fatal(err)
	}
	install := exec.Command(npm, "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return node, folder
}
