package server_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/server"
	"signet/server/servertest"
	"signet/server/throttle"
	"signet/store"
)

// TestScripts runs the scripts in testdata/script against a running server, over HTTP. Their README has the commands. The
// sections of a script share its server, until one of them starts another with the command server.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/script",
		ContinueOnError: true,
		Setup: func(env *testscript.Env) error {
			sc := &script{}
			sc.TB = scriptTB{t, sc}
			env.Values[scriptKey{}] = sc
			env.Defer(sc.cleanup)
			sc.startServer(nil)
			for name, value := range sc.constants() {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: scriptCommands(),
	})
}

type scriptKey struct{}

// script is the state of one script.
type script struct {
	testing.TB // ends the script where it fails
	ts         *testscript.TestScript
	stage      *stage
	last       servertest.Answer // to the latest request
	before     servertest.Answer // to the one before it
	many       []servertest.Answer
	cleanups   []func()

	strangerKey servertest.AppKey
	trapped     *atomic.Int64 // connections to the trap; nil where there is none
	trapURL     string
	gate        *gate

	browser store.Session // of the last code; see code

	browsers map[string]*scriptBrowser
	people   *scriptBrowser // the one of them that is in use
}

// scriptTB makes the helpers of Go tests fail the script that uses them.
type scriptTB struct {
	testing.TB
	sc *script
}

func (t scriptTB) Fatalf(format string, args ...any) {
	if t.sc.ts == nil { // the script has not begun
		t.TB.Fatalf(format, args...)
	}
	t.sc.ts.Fatalf(format, args...)
}

func (t scriptTB) Errorf(format string, args ...any) { t.Fatalf(format, args...) }
func (t scriptTB) Error(args ...any)                 { t.Fatalf("%v", args) }
func (t scriptTB) Fatal(args ...any)                 { t.Fatalf("%v", args) }
func (t scriptTB) FailNow()                          { t.Fatalf("failed") }
func (t scriptTB) Cleanup(f func())                  { t.sc.cleanups = append(t.sc.cleanups, f) }
func (t scriptTB) Helper()                           {}

func (sc *script) cleanup() {
	for len(sc.cleanups) > 0 {
		last := len(sc.cleanups) - 1
		f := sc.cleanups[last]
		sc.cleanups = sc.cleanups[:last]
		f()
	}
}

// startServer starts the server that the following sections use.
func (sc *script) startServer(settings []string) {
	start := servertest.New
	if len(settings) > 0 && settings[0] == "rs256" {
		start, settings = servertest.NewRS256, settings[1:]
	}
	sc.stage = newStage(sc, start, func(cfg *server.Config) {
		cfg.Throttle = throttle.Config{}
		for _, setting := range settings {
			sc.set(cfg, setting)
		}
	})
}

// constants are the variables that every script has.
func (sc *script) constants() map[string]string {
	return map[string]string{
		"password": servertest.Password, "web_secret": servertest.WebSecret, "issuer": sc.stage.URL, "sub": sc.stage.UserID.String(),
	}
}

// stage is where a script plays: a server, the operator's listeners, and a store that can break.
type stage struct {
	*servertest.Server
	socket, tcp *servertest.Server
	store       *breakable
	robot       servertest.AppKey // of the client robot, under the kid one
}

func newStage(t testing.TB, start func(testing.TB, func(*server.Config)) *servertest.Server, change func(*server.Config)) *stage {
	st := &stage{store: &breakable{}, robot: servertest.NewAppKey(t, "ES256")}
	st.Server = start(t, func(cfg *server.Config) {
		st.store.Store, cfg.Store = cfg.Store, st.store
		change(cfg)
	})
	st.socket = st.Server.ServeAdmin(t, st.Admin())
	st.tcp = st.Server.ServeAdmin(t, st.AdminWithToken())
	addRobot(t, st.Server, st.robot.JWK(`"kid":"one"`))
	st.Server.Asserted(t, st.robot, robot).Do()
	for _, id := range []string{servertest.Web, servertest.SPA, servertest.Other, servertest.Service} { // so that they are in the cache
		st.Server.Form(t, "/token", "client_id="+id, "client_secret="+id+"-secret").Do()
	}
	return st
}

// served is what each section ends with: the next good request is served.
func (sc *script) served([]string) {
	if a := sc.goodLogin().Do(); a.Status != 200 {
		sc.Fatalf("a good login gets %d %s", a.Status, a.Raw)
	}
}

func (sc *script) goodLogin() *servertest.Request {
	const body = "grant_type=password&username=ada&password=a+difference+engine&client_id=web&client_secret=web-secret"
	return sc.stage.Server.Call(sc, "POST", "/token").Raw(body)
}

// The README lists every answer that the scripts meet, for who has to make sense of one.
func TestEveryErrorIsInTheReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "## Errors")
	table, _, _ = strings.Cut(table, "\n## ")
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before := ""
		for line := range strings.Lines(string(text)) {
			status, code, isError := strings.Cut(strings.TrimSpace(line), " ")
			if isError && statusLine.MatchString(line) && !strings.HasPrefix(before, "socket ") && !strings.HasPrefix(before, "admin ") &&
				!regexp.MustCompile("(?m)^\\| .*`"+code+"`.*\\b"+status+"\\b|^\\| "+status+" \\| `"+code+"`").MatchString(table) {
				t.Errorf("%s: %s is not in the README's table of errors", file, strings.TrimSpace(line))
			}
			before = line
		}
	}
}

var statusLine = regexp.MustCompile(`^[0-9]{3} [a-z_]+$`)
