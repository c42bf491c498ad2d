package e2e

import (
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

	"signet/config"
)

// handbook lists the pages whose commands are run, each by itself. TestHandbookIsWhole finds pages that are missing here.
var handbook = []string{
	"README.md",
	"deploy/README.md",
	"deploy/git.md",
	"deploy/incidents.md",
	"deploy/migration.md",
	"deploy/pages.md",
	"deploy/redis/README.md",
	"deploy/upstream.md",
	"keys/README.md",
	"server/README.md",
	"server/admin/api/README.md",
	"store/README.md",
}

// A page is run as its readers run it: all sh blocks in order, in one shell, in an empty directory. A comment before a
// block, which is not rendered, names what else is done with it:
//
//	<!-- test: serves PORT -->         it starts a server, which goes on in the background until PORT answers and after
//	<!-- test: serves PORT again -->   the same, after the server of that port has been stopped
//	<!-- test: serves redis PORT -->   the same, of a Redis
//	<!-- test: in the repository -->   it is run at the top of the repository; also after serves PORT
//	<!-- test: file NAME -->           it is not run: it is put into the file NAME. YAML must load as a configuration
//	<!-- test: clients NAME -->        the same, of a file of clients, which the commands use
//	<!-- test: nginx NAME -->          the same, and nginx must accept it; also caddy NAME, haproxy NAME and prometheus NAME
//	<!-- test: part of PATH -->        it stands in that file of the repository, which another test runs
//	<!-- test: prints -->              it is what the commands before it print; … stands for anything
//	<!-- test: the suite -->           it is the command that runs this test
//	<!-- test: needs an engine -->     it is not run, since no container engine is needed to test Signet; the page mentions it
//
// A block that is neither sh nor has such a comment fails the test. Mermaid blocks are pictures. Ports are replaced by
// free ones.

const (
	readmeDev   = "go run ./cmd/signet dev"
	readmeSuite = "go test ./..."
)

// block is one fenced block of a page.
type block struct {
	line      int // of its first line
	lang      string
	directive string
	text      string
}

var (
	directiveLine = regexp.MustCompile(`^<!-- test: (.+) -->$`)
	serves        = regexp.MustCompile(`^serves (redis )?(\d+)( in the repository| again)?$`)
	fileNamed     = regexp.MustCompile(`^(file|clients|nginx|caddy|haproxy|prometheus) ([\w.-]+)$`)
	partOf        = regexp.MustCompile(`^part of ([\w./-]+)$`)
	devCommand    = regexp.MustCompile(`(?m)signet dev$`)
	pagePorts     = []string{"8080", "8000", "9000", "9090", "9091", "9092", "9093", "6379"}
	portNumber    = regexp.MustCompile(`\b(` + strings.Join(pagePorts, "|") + `)\b`)
)

// page returns the text of a page, by its path in the repository.
func page(t testing.TB, path string) string {
	t.Helper()
	return readFile(t, filepath.Join("../../..", path))
}

func parseBlocks(t testing.TB, path, text string) (blocks []block) {
	t.Helper()
	var open *block
	directive := ""
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimRight(line, "\n")
		switch fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```"); {
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
		t.Fatalf("%s:%d: the block has no end", path, open.line)
	}
	return blocks
}

// tour turns the blocks of a page into one shell script. What block N prints goes to out/N and err/N.
type tour struct {
	t      *testing.T
	page   string
	repo   string
	dir    string
	ports  map[string]string
	script strings.Builder
	expect []expectation
	checks []check
	ran    int // line of the last block that prints, 0 when there is none

	names *strings.Replacer                       // for what stands for something else in the page beside ports, or nil
	shell func(context.Context, string) *exec.Cmd // runs the script; nil is bash
}

type expectation struct {
	block
	printedBy int
}

// check is a file that a program, or package config, must accept.
type check struct{ kind, name string }

// TestHandbook runs the commands of every page.
func TestHandbook(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "jq", "openssl", "pkill", "uvicorn", "redis-server", "nginx", "caddy", "haproxy", "promtool"} {
		if _, err := exec.LookPath(tool); err != nil {
			needs(t, tool, "apt-get install bash curl jq openssl procps uvicorn python3-fastapi python3-jwt python3-cryptography redis-server nginx-light caddy haproxy prometheus")
		}
	}
	program := filepath.Dir(buildSignet(t))
	for _, path := range handbook {
		t.Run(strings.TrimSuffix(path, ".md"), func(t *testing.T) {
			t.Parallel()
			r := newTour(t, path, program)
			for _, b := range parseBlocks(t, path, page(t, path)) {
				r.add(b)
			}
			r.run()
			for _, e := range r.expect {
				r.compare(e)
			}
			for _, c := range r.checks {
				r.check(c)
			}
		})
	}
}

// newTour prepares the tour of a page, with the program of a directory in front of everything else on PATH.
func newTour(t *testing.T, path, program string) *tour {
	t.Helper()
	repo, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	r := &tour{t: t, page: path, repo: repo, dir: shortDir(t), ports: freePorts(t, pagePorts...)}
	for _, sub := range []string{"out", "err", "bin"} {
		if err := os.Mkdir(filepath.Join(r.dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintf(&r.script, "set -eo pipefail\nexport GOBIN='%[1]s/bin' PATH='%[1]s/bin':'%[2]s':\"$PATH\" PYTHONDONTWRITEBYTECODE=1 NO_PROXY=127.0.0.1\n", r.dir, program)
	return r
}

// freePorts finds a port for each that pages name.
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

func (r *tour) write(name, text string, mode os.FileMode) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), mode); err != nil {
		r.t.Fatal(err)
	}
}

// library makes the library that a program of the page imports available in the directory.
func (r *tour) library(program string) {
	r.t.Helper()
	switch filepath.Ext(program) {
	case ".py":
		r.write("bin/python3", fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", pyJWT(r.t)), 0o755)
	case ".mjs":
		_, folder := joseFolder(r.t)
		if err := os.Symlink(filepath.Join(folder, "node_modules"), filepath.Join(r.dir, "node_modules")); err != nil {
			r.t.Fatal(err)
		}
	case ".go": // a module with our requirements
		r.write("go.mod", strings.Replace(page(r.t, "go.mod"), "module signet\n", "module tour\n", 1), 0o600)
		r.write("go.sum", page(r.t, "go.sum"), 0o600)
	}
}

func (r *tour) renumber(text string) string {
	if r.names != nil {
		text = r.names.Replace(text)
	}
	return portNumber.ReplaceAllStringFunc(text, func(port string) string { return r.ports[port] })
}

func (r *tour) add(b block) {
	r.t.Helper()
	text := r.renumber(b.text)
	file, server, part := fileNamed.FindStringSubmatch(b.directive), serves.FindStringSubmatch(b.directive), partOf.FindStringSubmatch(b.directive)
	switch {
	case b.lang == "mermaid":
	case part != nil && b.lang != "sh":
		if !strings.Contains(unindented(page(r.t, part[1])), unindented(b.text)) {
			r.t.Errorf("%s:%d: %s has no such part", r.page, b.line, part[1])
		}
	case file != nil && b.lang != "sh":
		r.file(b, file[1], file[2], text)
	case b.directive == "prints" && b.lang != "sh" && r.ran != 0:
		r.expect = append(r.expect, expectation{b, r.ran})
		r.ran = 0
	case b.lang != "sh":
		r.t.Errorf("%s:%d: nothing runs or checks this block; see the comment in handbook_test.go", r.page, b.line)
	case b.directive == "the suite" && b.text == readmeSuite+"\n", b.directive == "needs an engine":
	case server != nil:
		if server[3] == " again" {
			fmt.Fprintf(&r.script, "\npkill -TERM -P $server%[1]s\nwait $server%[1]s || true\n", server[2])
		}
		r.serve(b.line, text, server[2], server[1] != "", server[3] == " in the repository")
	case b.directive == "in the repository":
		r.command(b.line, fmt.Sprintf("cd '%s'\n%scd '%s'\n", r.repo, text, r.dir))
	case b.directive == "":
		r.command(b.line, text)
	default:
		r.t.Errorf("%s:%d: there is no directive %q", r.page, b.line, b.directive)
	}
}

// unindented returns the text without the spaces at the beginning of its lines.
func unindented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimLeft(line, " "))
	}
	return b.String()
}

func (r *tour) file(b block, kind, name, text string) {
	switch kind {
	case "nginx":
		text = strings.NewReplacer("/etc/nginx/", r.dir+"/", "listen 443", "listen 127.0.0.1:"+r.ports["8000"]).Replace(text)
	case "haproxy":
		text = strings.ReplaceAll(text, "/etc/haproxy/", r.dir+"/")
	case "file":
		r.library(name)
		kind = b.lang
	}
	r.write(name, text, 0o600)
	r.checks = append(r.checks, check{kind, name})
}

func (r *tour) command(line int, text string) {
	fmt.Fprintf(&r.script, "\nexec >'%[1]s/out/%[2]d' 2>'%[1]s/err/%[2]d'\n%[3]s", r.dir, line, text)
	r.ran = line
}

// serve starts a server and waits for it: five minutes at most, since `go run` may have to compile.
func (r *tour) serve(line int, text, port string, redis, inRepo bool) {
	dir := r.dir
	if inRepo {
		dir = r.repo
	}
	text = devCommand.ReplaceAllString(text, fmt.Sprintf("signet dev --dir '%s/signet-data' --listen 127.0.0.1:%s -o json", r.dir, r.ports[port]))
	r.command(line, fmt.Sprintf("{ cd '%s'\n%s} &\nserver%s=$!\n", dir, text, port))
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
func (r *tour) run() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 8*time.Minute)
	defer cancel()
	shell := r.shell
	if shell == nil {
		shell = func(ctx context.Context, script string) *exec.Cmd {
			return exec.CommandContext(ctx, "bash", "-c", script)
		}
	}
	cmd := shell(ctx, r.script.String())
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
		r.t.Fatalf("%s:%d: %v\n%s", r.page, line, err, printed)
	}
}

// lastOutput returns what the block that was run last has printed.
func (r *tour) lastOutput() (line int, printed []byte) {
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

// compare ignores white space, so that JSON may be laid out for reading.
func (r *tour) compare(e expectation) {
	r.t.Helper()
	printed, err := os.ReadFile(filepath.Join(r.dir, "out", fmt.Sprint(e.printedBy)))
	if err != nil {
		r.t.Fatal(err)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(squeeze(r.renumber(e.text))), "…", ".*")
	if !regexp.MustCompile("^" + pattern + "$").MatchString(squeeze(string(printed))) {
		errs, _ := os.ReadFile(filepath.Join(r.dir, "err", fmt.Sprint(e.printedBy)))
		r.t.Errorf("%s:%d: the commands before it print\n%s%s, want\n%s", r.page, e.line, printed, errs, e.text)
	}
}

func squeeze(text string) string { return strings.Join(strings.Fields(text), "") }

func (r *tour) check(c check) {
	r.t.Helper()
	var cmd *exec.Cmd
	switch c.kind {
	case "yaml":
		if _, _, err := config.Load(filepath.Join(r.dir, c.name), nil); err != nil {
			r.t.Errorf("%s: %s: %v", r.page, c.name, err)
		}
		return
	case "nginx":
		r.certificate()
		r.write("main.conf", fmt.Sprintf("pid %[1]s/pid;\nevents {}\nhttp {\naccess_log off;\nclient_body_temp_path %[1]s/t1;\nproxy_temp_path %[1]s/t2;\nfastcgi_temp_path %[1]s/t3;\n"+
			"uwsgi_temp_path %[1]s/t4;\nscgi_temp_path %[1]s/t5;\ninclude %[1]s/%[2]s;\n}\n", r.dir, c.name), 0o600)
		cmd = exec.Command("nginx", "-t", "-p", r.dir, "-e", "stderr", "-c", filepath.Join(r.dir, "main.conf"))
	case "caddy":
		cmd = exec.Command("caddy", "validate", "--adapter", "caddyfile", "--config", c.name)
	case "haproxy":
		r.certificate()
		r.write("auth.example.com.pem", readFile(r.t, filepath.Join(r.dir, "fullchain.pem"))+readFile(r.t, filepath.Join(r.dir, "privkey.pem")), 0o600)
		cmd = exec.Command("haproxy", "-c", "-f", c.name)
	case "prometheus":
		cmd = exec.Command("promtool", "check", "config", "--syntax-only", c.name)
	default:
		return // the page's commands use it
	}
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), "HOME="+r.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Errorf("%s: %s refuses %s: %v\n%s", r.page, c.kind, c.name, err, out)
	}
}

// certificate makes the files that the proxy's configuration names.
func (r *tour) certificate() {
	r.t.Helper()
	cmd := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=auth.example.com",
		"-keyout", "privkey.pem", "-out", "fullchain.pem")
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("%v\n%s", err, out)
	}
}
