package server_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"signet/server"
	"signet/server/servertest"
)

// The scripts in testdata/http are to be read aloud: numbered sections, each a request or a few and
// what is answered. testdata/http/README.md has the language. A section is a subtest of its own, on
// the server that all sections of the file share, unless it begins with the word server.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/http/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runScript(t, file) })
	}
}

func runScript(t *testing.T, file string) {
	shared := newStage(t, func(cfg *server.Config) { cfg.Throttle = server.ThrottleConfig{} })
	for _, section := range readSections(t, file) {
		t.Run(section.name(), func(t *testing.T) {
			sc := &script{t: t, stage: shared, shared: true, vars: map[string]string{}, file: file}
			if section.is("slow") {
				t.Parallel()
			}
			sc.run(section.lines)
		})
	}
}

// section is one numbered row of a script.
type section struct {
	number, title string
	lines         []scriptLine
}

func (s section) name() string { return s.number + " " + s.title }

func (s section) is(word string) bool { return len(s.lines) > 0 && s.lines[0].text == word }

type scriptLine struct {
	number int
	text   string // without the space at its end
}

var heading = regexp.MustCompile(`^== ([A-Z]*-?[0-9]+[a-z]?) (.+)$`)

func readSections(t testing.TB, file string) (all []section) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range strings.Split(string(raw), "\n") {
		text = strings.TrimRight(text, " ")
		switch found := heading.FindStringSubmatch(text); {
		case found != nil:
			all = append(all, section{number: found[1], title: found[2]})
		case text == "" || strings.HasPrefix(text, "#"):
		case len(all) == 0:
			t.Fatalf("%s:%d: before the first section", file, i+1)
		default:
			last := &all[len(all)-1]
			last.lines = append(last.lines, scriptLine{i + 1, text})
		}
	}
	return all
}

// stage is where a script plays: a server, the operator's listeners, and a store that can break.
type stage struct {
	*servertest.Server
	socket, tcp *servertest.Server
	store       *breakable
	robot       appKey // of the client robot, under the kid one
}

func newStage(t testing.TB, change func(*server.Config)) *stage {
	st := &stage{store: &breakable{}, robot: newAppKey(t, "ES256")}
	st.Server = servertest.New(t, func(cfg *server.Config) {
		st.store.Store, cfg.Store = cfg.Store, st.store
		change(cfg)
	})
	st.socket = adminOf(t, st.Server, st.Admin())
	st.tcp = adminOf(t, st.Server, st.AdminWithToken())
	addRobot(t, st.Server, st.robot.jwk(`"kid":"one"`))
	asserted(t, st.Server, st.robot, robot).do()
	for _, id := range []string{servertest.Web, servertest.SPA, servertest.Other, servertest.Service} { // so that they are in the cache
		form(t, st.Server, "/token", "client_id="+id, "client_secret="+id+"-secret").do()
	}
	return st
}

// script is one section on its way.
type script struct {
	t      *testing.T
	stage  *stage
	shared bool // with the other sections of the file
	file   string
	line   scriptLine
	vars   map[string]string
	last   answer // to the latest request
	before answer // to the one before it
	many   []answer

	strangerKey appKey
	trapped     *atomic.Int64 // connections to the trap; nil where there is none
	trapURL     string
	gate        *gate
}

func (sc *script) run(lines []scriptLine) {
	for i := 0; i < len(lines); i++ {
		sc.line = lines[i]
		more := i + 1
		for more < len(lines) && continues(lines[more].text) {
			more++
		}
		sc.step(lines[i].text, lines[i+1:more])
		i = more - 1
	}
	if sc.shared {
		sc.stillServes()
	}
}

// continues reports whether the line belongs to the one before it.
func continues(text string) bool { return strings.HasPrefix(text, " ") || strings.HasPrefix(text, ">") }

var (
	requestLine = regexp.MustCompile(`^[A-Z]+ /`)
	answerLine  = regexp.MustCompile(`^[0-9]{3}( [a-z_]+)?$`)
)

func (sc *script) step(text string, more []scriptLine) {
	word, rest, _ := strings.Cut(text, " ")
	switch verb := verbs[word]; {
	case requestLine.MatchString(text):
		sc.before, sc.last = sc.last, sc.readRequest(text, more).do()
	case answerLine.MatchString(text):
		sc.answered(word, rest)
	case verb != nil:
		verb(sc, rest, more)
	default:
		sc.fatalf("nobody knows what to do with %q", text)
	}
}

func (sc *script) errorf(format string, args ...any) {
	sc.t.Helper()
	sc.t.Errorf("%s:%d: %s: %.2000s", sc.file, sc.line.number, sc.line.text, fmt.Sprintf(format, args...))
}

func (sc *script) fatalf(format string, args ...any) {
	sc.t.Helper()
	sc.t.Fatalf("%s:%d: %s: %s", sc.file, sc.line.number, sc.line.text, fmt.Sprintf(format, args...))
}

// stillServes is what every row promises beyond its own answer: the next good request is served.
func (sc *script) stillServes() {
	sc.t.Helper()
	if a := sc.request("POST", "/token", goodBody).do(); a.Status != 200 {
		sc.t.Errorf("%s: after this section a good login gets %d %s", sc.file, a.Status, a.Raw)
	}
}

const goodBody = "grant_type=password&username=ada&password=a+difference+engine&client_id=web&client_secret=web-secret"

func (sc *script) request(method, path, body string) *request {
	return call(sc.t, sc.stage.Server, method, path).raw(body)
}

// Every row of the requirements is in the scripts once, in their order. The numbers after 116 and
// the requirements left out belong to endpoints that Signet does not have.
func TestEveryRequirementHasASection(t *testing.T) {
	var rows, matrix, library []string
	for i := 1; i <= 116; i++ {
		rows = append(rows, fmt.Sprint(i))
	}
	rows = append(rows, "124", "125", "127")
	for i := 1; i <= 39; i++ {
		matrix = append(matrix, fmt.Sprintf("R-%02d", i))
	}
	matrix = append(matrix, "R-46", "R-47", "R-50")
	for i := 1; i <= 15; i++ {
		library = append(library, fmt.Sprintf("D%d", i))
	}
	library = append(library, "D15b", "D25", "D26", "D27", "D28", "D29", "D30", "D31", "D32")
	for _, table := range []struct {
		pattern string
		want    []string
	}{{"[1-9]*.txt", rows}, {"requirements.txt", matrix}, {"go-oauth2.txt", library}} {
		files, err := filepath.Glob("testdata/http/" + table.pattern)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, file := range files {
			for _, s := range readSections(t, file) {
				got = append(got, s.number)
			}
		}
		if strings.Join(got, " ") != strings.Join(table.want, " ") {
			t.Errorf("%s: got sections %v, want %v", table.pattern, got, table.want)
		}
	}
}

// The README lists every answer that the scripts meet, for who has to make sense of one.
func TestEveryErrorIsInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "## Errors")
	table, _, _ = strings.Cut(table, "\n## ")
	files, err := filepath.Glob("testdata/http/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		for _, s := range readSections(t, file) {
			for i, line := range s.lines {
				status, code, isError := strings.Cut(line.text, " ")
				if !answerLine.MatchString(line.text) || !isError || i > 0 && ofOperator(s.lines[i-1].text) {
					continue
				}
				if !regexp.MustCompile("(?m)^\\| .*`" + code + "`.*\\b" + status + "\\b|^\\| " + status + " \\| `" + code + "`").MatchString(table) {
					t.Errorf("%s:%d: %s is not in the README's table of errors", file, line.number, line.text)
				}
			}
		}
	}
}

func ofOperator(line string) bool {
	return strings.HasPrefix(line, "socket ") || strings.HasPrefix(line, "admin ")
}
