package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"signet/config"
)

// The README is run as its readers run it: all sh blocks in order, in one shell, in an empty
// directory. A comment before a block, which does not show when it is rendered, says what else is
// to be done with it:
//
//	<!-- test: serves PORT -->         it is a server; it goes on in the background, and PORT answers
//	<!-- test: serves redis PORT -->   the same, of a Redis
//	<!-- test: in the repository -->   it is run at the top of the repository; also after serves PORT
//	<!-- test: file NAME -->           it is no command: it is put into the file NAME. YAML must load
//	<!-- test: prints -->              it is what the commands before it print; … stands for anything
//	<!-- test: the suite -->           it is the command that is running this test
//
// A block that is neither sh nor has such a comment fails the test. Ports are replaced by free ones.

const (
	readmeDev   = "go run ./cmd/signet dev"
	readmeSuite = "go test ./..."
)

// block is one fenced block of the README.
type block struct {
	line      int // of its first line
	lang      string
	directive string
	text      string
}

var (
	directiveLine = regexp.MustCompile(`^<!-- test: (.+) -->$`)
	serves        = regexp.MustCompile(`^serves (redis )?(\d+)( in the repository)?$`)
	fileNamed     = regexp.MustCompile(`^file ([\w.-]+)$`)
	portNumber    = regexp.MustCompile(`\b(8080|8000|9090|9091|9092|6379)\b`)
)

func readReadme(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func parseBlocks(t *testing.T, text string) (blocks []block) {
	t.Helper()
	var open *block
	directive := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		switch fence, isFence := strings.CutPrefix(line, "```"); {
		case isFence && open == nil:
			open = &block{line: number + 1, lang: fence, directive: directive}
		case isFence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
		directive = ""
		if m := directiveLine.FindStringSubmatch(line); m != nil && open == nil {
			directive = m[1]
		}
	}
	if open != nil {
		t.Fatalf("README.md:%d: the block has no end", open.line)
	}
	return blocks
}

// readmeRun turns the blocks into one shell script. What block N prints goes to out/N and err/N.
type readmeRun struct {
	t      *testing.T
	repo   string
	dir    string
	ports  map[string]string
	script strings.Builder
	expect []expectation
	yaml   []string
	ran    int // the last block that prints, 0 when there is none
}

type expectation struct {
	block
	printedBy int
}

func TestReadme(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq", "openssl", "uvicorn", "redis-server"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install bash curl jq openssl uvicorn python3-fastapi python3-jwt python3-cryptography redis-server")
		}
	}
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "signet") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &readmeRun{t: t, repo: repo, dir: dir, ports: freePorts(t, "8080", "8000", "9090", "9091", "9092", "6379")}
	r.prepare()
	for _, b := range parseBlocks(t, readReadme(t)) {
		r.add(b)
	}
	r.run()
	for _, e := range r.expect {
		r.compare(e)
	}
	for _, name := range r.yaml {
		if _, _, err := config.Load(filepath.Join(dir, name), nil); err != nil {
			t.Errorf("the README's %s: %v", name, err)
		}
	}
}

// freePorts finds a port for each that the README names.
func freePorts(t *testing.T, named ...string) map[string]string {
	t.Helper()
	ports := map[string]string{}
	for _, name := range named {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // all are held until all are found
		_, ports[name], _ = net.SplitHostPort(l.Addr().String())
	}
	return ports
}

// prepare makes the directory a Go module with our requirements, for the README's Go program.
func (r *readmeRun) prepare() {
	r.t.Helper()
	mod, err := os.ReadFile(filepath.Join(r.repo, "go.mod"))
	if err != nil {
		r.t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join(r.repo, "go.sum"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.write("go.mod", strings.Replace(string(mod), "module signet\n", "module tour\n", 1))
	r.write("go.sum", string(sum))
	for _, sub := range []string{"out", "err", "bin"} {
		if err := os.Mkdir(filepath.Join(r.dir, sub), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	fmt.Fprintf(&r.script, "set -eo pipefail\nexport GOBIN='%s/bin' GORACE=atexit_sleep_ms=0 PYTHONDONTWRITEBYTECODE=1\n", r.dir)
}

func (r *readmeRun) write(name, text string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *readmeRun) renumber(text string) string {
	return portNumber.ReplaceAllStringFunc(text, func(port string) string { return r.ports[port] })
}

func (r *readmeRun) add(b block) {
	r.t.Helper()
	text := r.renumber(b.text)
	file, server := fileNamed.FindStringSubmatch(b.directive), serves.FindStringSubmatch(b.directive)
	switch {
	case file != nil && b.lang != "sh":
		r.write(file[1], text)
		if b.lang == "yaml" {
			r.yaml = append(r.yaml, file[1])
		}
	case b.directive == "prints" && b.lang != "sh" && r.ran != 0:
		r.expect = append(r.expect, expectation{b, r.ran})
		r.ran = 0
	case b.lang != "sh":
		r.t.Errorf("README.md:%d: nothing runs or checks this block; see the comment in readme_test.go", b.line)
	case b.directive == "the suite" && b.text == readmeSuite+"\n":
	case server != nil:
		r.serve(b.line, text, server[2], server[1] != "", server[3] != "")
	case b.directive == "in the repository":
		r.command(b.line, fmt.Sprintf("cd '%s'\n%scd '%s'\n", r.repo, text, r.dir))
	case b.directive == "":
		r.command(b.line, text)
	default:
		r.t.Errorf("README.md:%d: %q says nothing to this test", b.line, b.directive)
	}
}

func (r *readmeRun) command(line int, text string) {
	fmt.Fprintf(&r.script, "\nexec >'%[1]s/out/%[2]d' 2>'%[1]s/err/%[2]d'\n%[3]s", r.dir, line, text)
	r.ran = line
}

// serve starts a server and waits for it: five minutes at most, since `go run` may have to compile.
func (r *readmeRun) serve(line int, text, port string, redis, inRepo bool) {
	dir := r.dir
	if inRepo {
		dir = r.repo
	}
	text = strings.Replace(text, readmeDev+"\n", fmt.Sprintf("%s --dir '%s/signet-data' --listen 127.0.0.1:%s -o json\n", readmeDev, r.dir, r.ports[port]), 1)
	r.command(line, fmt.Sprintf("{ cd '%s'\n%s} &\n", dir, text))
	probe := "curl -s -o probe http://127.0.0.1:" + r.ports[port] + "/healthz"
	if redis {
		probe = "redis-cli -p " + r.ports[port] + " ping"
	}
	fmt.Fprintf(&r.script, `for try in $(seq 1500); do
  if %[1]s; then break; fi
  kill -0 $! || exit 1
  sleep 0.2
done
%[1]s
`, probe)
	r.ran = 0
}

// run runs the script in a process group of its own, which ends with it, servers and all.
func (r *readmeRun) run() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", r.script.String())
	cmd.Dir = r.dir
	cmd.Env = slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "SIGNET_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	if err != nil {
		line, printed := r.lastOutput()
		r.t.Fatalf("README.md:%d: %v\n%s", line, err, printed)
	}
}

// lastOutput is what the block that was run last has printed.
func (r *readmeRun) lastOutput() (line int, printed []byte) {
	names, _ := filepath.Glob(filepath.Join(r.dir, "out", "*"))
	for _, name := range names {
		var n int
		if _, err := fmt.Sscan(filepath.Base(name), &n); err == nil {
			line = max(line, n)
		}
	}
	out, _ := os.ReadFile(filepath.Join(r.dir, "out", fmt.Sprint(line)))
	errs, _ := os.ReadFile(filepath.Join(r.dir, "err", fmt.Sprint(line)))
	return line, slices.Concat(out, errs)
}

// compare takes no notice of white space, so that JSON may be laid out for reading.
func (r *readmeRun) compare(e expectation) {
	r.t.Helper()
	printed, err := os.ReadFile(filepath.Join(r.dir, "out", fmt.Sprint(e.printedBy)))
	if err != nil {
		r.t.Fatal(err)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(squeeze(r.renumber(e.text))), "…", ".*")
	if !regexp.MustCompile("^" + pattern + "$").MatchString(squeeze(string(printed))) {
		errs, _ := os.ReadFile(filepath.Join(r.dir, "err", fmt.Sprint(e.printedBy)))
		r.t.Errorf("README.md:%d: the commands before it print\n%s%s, want\n%s", e.line, printed, errs, e.text)
	}
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), "") }

// The first two things a reader is told are these, to the letter; .ci/run takes the second from there.
func TestReadmeBeginsWithTwoCommands(t *testing.T) {
	var first []string
	for _, b := range parseBlocks(t, readReadme(t)) {
		if b.lang == "sh" && len(first) < 2 {
			first = append(first, strings.TrimSpace(b.text))
		}
	}
	if want := []string{readmeDev, readmeSuite}; !slices.Equal(first, want) {
		t.Errorf("README.md begins with the commands %q, want %q", first, want)
	}
}

// Links to files and headings lead somewhere.
func TestReadmeLinks(t *testing.T) {
	text := readReadme(t)
	headings := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		anchor := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		headings["#"+strings.ReplaceAll(anchor, " ", "-")] = true
	}
	links := regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1)
	if len(links) == 0 {
		t.Fatal("README.md has no links")
	}
	for _, m := range links {
		switch target := m[1]; {
		case strings.HasPrefix(target, "https://"):
		case strings.HasPrefix(target, "#"):
			if !headings[target] {
				t.Errorf("there is no heading for %s", target)
			}
		default:
			if _, err := os.Stat(filepath.Join("../../..", target)); err != nil {
				t.Errorf("the link to %s: %v", target, err)
			}
		}
	}
}

// The table of errors has every code that a public endpoint answers, and no other.
func TestReadmeErrors(t *testing.T) {
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| \\d{3} \\| `(\\w+)` \\|").FindAllStringSubmatch(readReadme(t), -1) {
		documented[m[1]] = true
	}
	sources, err := filepath.Glob("../../../server/*.go")
	if err != nil || len(sources) == 0 {
		t.Fatalf("no sources of the server: %v", err)
	}
	answered := map[string]bool{}
	for _, name := range sources {
		base := filepath.Base(name)
		if strings.HasPrefix(base, "admin") || strings.HasSuffix(base, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Code:\s*"(\w+)"`).FindAllSubmatch(source, -1) {
			answered[string(m[1])] = true
		}
	}
	for code := range answered {
		if !documented[code] {
			t.Errorf("README.md does not explain the error %s", code)
		}
	}
	for code := range documented {
		if !answered[code] {
			t.Errorf("README.md explains the error %s, which nothing answers", code)
		}
	}
}

// The defaults in the table of limits are those of the example configuration, which has its own
// test against the program's.
func TestReadmeLimits(t *testing.T) {
	data, err := os.ReadFile("../../../deploy/signet.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var example map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(data)).Decode(&example); err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| [^|]+ \\| (\\w+) \\| `([\\w.]+)`").FindAllStringSubmatch(readReadme(t), -1)
	if len(rows) < 10 {
		t.Fatalf("got %d rows with limits, want them all", len(rows))
	}
	for _, row := range rows {
		var value any = example
		for key := range strings.SplitSeq(row[2], ".") {
			section, _ := value.(map[string]any)
			value = section[key]
		}
		if fmt.Sprint(value) != row[1] {
			t.Errorf("%s: README.md says %s, want %v", row[2], row[1], value)
		}
	}
}
