package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// nativeApp is the app of testdata/native, as one user of one machine has it.
type nativeApp struct {
	t       testing.TB
	program string
	env     []string
	file    string
}

func buildNativeApp(t testing.TB) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "notes")
	if out, err := exec.Command("go", "build", "-o", program, "./testdata/native").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func newNativeApp(t testing.TB, program, issuer, clientID string) *nativeApp {
	file := filepath.Join(t.TempDir(), clientID)
	return &nativeApp{t: t, program: program, file: file,
		env: append(os.Environ(), "NO_PROXY=127.0.0.1", "NOTES_ISSUER="+issuer, "NOTES_CLIENT_ID="+clientID, "NOTES_FILE="+file)}
}

// run runs a command of the app, gives visit the address that it wants opened, and returns what it prints otherwise.
func (a *nativeApp) run(command string, visit func(address string)) (printed string, err error) {
	a.t.Helper()
	cmd := exec.Command(a.program, command)
	cmd.Env = a.env
	var errs lockedBuffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = cmd.Process.Kill()
		}
	}()
	lines := bufio.NewReader(out)
	if visit != nil {
		line, _ := lines.ReadString('\n')
		address, found := strings.CutPrefix(strings.TrimSpace(line), "open ")
		if !found {
			a.t.Fatalf("notes %s printed %q\n%s", command, line, &errs)
		}
		visit(address)
	}
	rest, err := io.ReadAll(lines)
	if err != nil {
		a.t.Fatal(err)
	}
	err = cmd.Wait()
	ended = true
	return string(rest) + errs.String(), err
}

// must is run for a command that has to succeed.
func (a *nativeApp) must(command, want string, visit func(address string)) {
	a.t.Helper()
	if printed, err := a.run(command, visit); err != nil || !strings.HasPrefix(printed, want) {
		a.t.Fatalf("notes %s printed %q, %v; want %q", command, printed, err, want)
	}
}

// idToken returns the one that the app keeps.
func (a *nativeApp) idToken() string {
	a.t.Helper()
	var kept struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(readFile(a.t, a.file)), &kept); err != nil {
		a.t.Fatal(err)
	}
	return kept.IDToken
}

// TestNativeApp: an app on a machine signs its user in through the browser and a port that it is given by the system, refreshes,
// goes on through a rotation of the keys, and signs out, of another app as well.
func TestNativeApp(t *testing.T) {
	t.Parallel()
	p := startDev(t, t.TempDir())
	for _, id := range []string{"notes", "tasks"} {
		p.admin("", "client", "create", "--id", id, "--public", "--grant", "authorization_code,refresh_token", "--scope", "openid,profile",
			"--redirect-uri", "http://127.0.0.1/callback", "--post-logout-uri", "http://127.0.0.1/signed-out",
			"--ttl", "5s") // golang.org/x/oauth2 refreshes 10 s before the end: each time
	}
	program := buildNativeApp(t)
	notes, tasks := newNativeApp(t, program, p.demo.Issuer, "notes"), newNativeApp(t, program, p.demo.Issuer, "tasks")
	v := newVisitor(t, p.demo)
	goThere := func(address string) { v.open(address).wants(t, "http://127.0.0.1:", "You can close this window") }

	notes.must("login", "signed in as usr_", func(address string) {
		v.signIn(v.open(address)).wants(t, "http://127.0.0.1:", "You can close this window")
	})
	tasks.must("login", "signed in as usr_", goThere)
	if v.passwords != 1 {
		t.Errorf("the user typed the password %d times, want once for both apps", v.passwords)
	}
	before := notes.idToken()
	notes.must("whoami", "demo\n", nil)
	p.admin("", "keys", "rotate", "--emergency", "--wait")
	notes.must("whoami", "demo\n", nil)
	if after := notes.idToken(); kidOf(t, after) == kidOf(t, before) {
		t.Error("after the rotation the same key signs: the test proves nothing")
	}
	tasks.must("login", "signed in as usr_", goThere)

	notes.must("logout", "signed out\n", goThere)
	for _, app := range []*nativeApp{notes, tasks} {
		if printed, err := app.run("whoami", nil); err == nil || !strings.Contains(printed, "run notes login") {
			t.Errorf("after the logout: got %q, %v", printed, err)
		}
	}
	notes.must("login", "signed in as usr_", func(address string) { v.signIn(v.open(address)).wants(t, "http://127.0.0.1:") })
}
