package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("skipped: all tests of this package start processes; run them without -short")
		return
	}
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		flag.Set("test.parallel", "5") // these tests wait for processes and clocks more than they compute
	}
	testscript.Main(suite{m}, map[string]func(){"floor": floorMain})
}

// suite runs the tests with the program in front of everything else on PATH.
type suite struct{ *testing.M }

func (s suite) Run() int {
	dir, err := os.MkdirTemp("", "signet-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := buildProgram(filepath.Join(dir, "signet"), "testclock"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Chmod(dir, 0o755); err != nil { // some tests run it as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return s.M.Run()
}

// buildProgram builds signet with the tags of this test binary and those given, and with the race detector where this
// test binary has it.
func buildProgram(path string, tags ...string) error {
	args := []string{"build", "-o", path}
	if raceEnabled() {
		args = append(args, "-race")
	}
	args = append(args, "-tags="+strings.Join(append(tags, buildSetting("-tags")), ","))
	if out, err := exec.Command("go", append(args, "signet/cmd/signet")...).CombinedOutput(); err != nil {
		return fmt.Errorf("building signet: %w\n%s", err, out)
	}
	return nil
}

// buildSignet builds the program as users do: without the race detector, in which a bcrypt hash of somebody else's table
// takes longer than a login may.
func buildSignet(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "signet")
	if out, err := exec.Command("go", "build", "-o", path, "signet/cmd/signet").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// raceEnabled reports whether the race detector runs, which makes everything several times slower.
func raceEnabled() bool { return buildSetting("-race") == "true" }

// buildSetting returns a setting that this test binary was built with.
func buildSetting(key string) string {
	info, _ := debug.ReadBuildInfo()
	for _, setting := range info.Settings {
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}
