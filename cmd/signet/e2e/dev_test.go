package e2e

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The whole first session: what `signet dev` prints is pasted into a shell as it stands.
func TestDevGreetingWorksAsPrinted(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		needs(t, "curl", "apt-get install curl")
	}
	dir := t.TempDir()
	p, text := startDevForPeople(t, dir)
	var script strings.Builder
	for line := range strings.Lines(text) {
		if command := strings.TrimPrefix(line, "  "); command != line && startsCommand(command) {
			script.WriteString(command)
		}
	}
	if strings.Count(script.String(), "curl ") != 5 || strings.Count(script.String(), "CODE=\n") != 1 {
		t.Fatalf("want five curl commands and a place for the code in the greeting, got\n%s", script.String())
	}
	_, address, _ := strings.Cut(text, "Open this address:\n\n  ")
	address, _, _ = strings.Cut(address, "\n")
	password, _, _ := strings.Cut(text[strings.Index(text, "demo / ")+len("demo / "):], "\n")
	_, callback, _ := strings.Cut(text, "The browser goes on to ")
	callback, _, _ = strings.Cut(callback, ",")
	reached := signInByForm(t, address, "demo", password)
	if !strings.HasPrefix(reached, callback+"?") {
		t.Errorf("the browser went to %s, want %s", reached, callback)
	}
	there, err := url.Parse(reached)
	if err != nil {
		t.Fatal(err)
	}
	commands := strings.Replace(script.String(), "CODE=\n", "CODE="+there.Query().Get("code")+"\n", 1)
	out, err := exec.Command("sh", "-e", "-c", commands).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, p.stderr)
	}
	for _, want := range []string{`"access_token":`, `"id_token":`, `"refresh_token":`, `"username":"demo"`, "HTTP/1.1 200"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the pasted commands printed no %s:\n%s", want, out)
		}
	}
}

// signInByForm opens an address in a browser that is new, sends the form of the sign-in page, and returns where the browser is sent.
func signInByForm(t testing.TB, address, username, password string) string {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	field := regexp.MustCompile(`name="request" value="([^"]*)"`).FindSubmatch(page)
	if err != nil || field == nil {
		t.Fatalf("%s shows no form: %s %v\n%s", address, res.Status, err, page)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	res, err = browser.PostForm(u.Scheme+"://"+u.Host+"/sign-in",
		url.Values{"request": {html.UnescapeString(string(field[1]))}, "username": {username}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.Header.Get("Location")
}

// A directory that an earlier version made has the public client without codes; the next start adds them.
func TestDevUpdatesTheDemo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startDev(t, dir)
	mustRun(t, "client", "update", "--socket", first.demo.AdminSocket, "demo-spa", "--grant", "password,refresh_token", "--scope", "profile", "--redirect-uri=")
	first.stop()
	second := startDev(t, dir)
	var client struct {
		Grants       []string `json:"grants"`
		Scopes       []string `json:"scopes"`
		RedirectURIs []string `json:"redirect_uris"`
	}
	if err := json.Unmarshal([]byte(mustRun(t, "client", "show", "--socket", second.demo.AdminSocket, "demo-spa", "-o", "json")), &client); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(client.Grants, "authorization_code") || !slices.Contains(client.Scopes, "openid") || len(client.RedirectURIs) == 0 {
		t.Errorf("got %+v", client)
	}
}

// The FastAPI app in the greeting is a file to save and run.
func TestDevGreetingSnippet(t *testing.T) {
	t.Parallel()
	fastAPIPython(t) // skips where there is none
	dir := t.TempDir()
	_, text := startDevForPeople(t, dir)
	_, code, found := strings.Cut(text, "pip install fastapi pyjwt[crypto] uvicorn):\n\n")
	code, _, ended := strings.Cut(code, "\nCtrl-C")
	if !found || !ended {
		t.Fatalf("no snippet in the greeting:\n%s", text)
	}
	var file strings.Builder
	for line := range strings.Lines(code) {
		file.WriteString(strings.TrimPrefix(line, "  "))
	}
	app := t.TempDir()
	write(t, filepath.Join(app, "main.py"), file.String())
	_, issuer, _ := strings.Cut(text, "at ")
	issuer, _, _ = strings.Cut(issuer, "\n")
	api := runFastAPI(t, app, issuer)
	data, err := os.ReadFile(filepath.Join(dir, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d demo
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	_, tokens := post(t, issuer+"/token", d.login())
	access, _ := tokens["access_token"].(string)
	if res, body := api.me("Bearer " + access); res.StatusCode != http.StatusOK || body["username"] != d.Username {
		t.Errorf("good token: got %d %v\n%s", res.StatusCode, body, api.log)
	}
	api.want("no token at all", "Bearer x", http.StatusUnauthorized)
	api.want("tampered", "Bearer "+access[:len(access)-6]+"AAAAAA", http.StatusUnauthorized)
	checkSnippet(t, strings.ReplaceAll(file.String(), issuer, "ISSUER"))
}

// checkSnippet runs the snippet against an issuer that signs tokens of which one thing is wrong.
func checkSnippet(t *testing.T, code string) {
	t.Helper()
	f, app := newForger(t), t.TempDir()
	f.mood.Store("fine")
	write(t, filepath.Join(app, "main.py"), strings.ReplaceAll(code, "ISSUER", f.url))
	api := runFastAPI(t, app, f.url)
	type members = map[string]any
	for what, token := range map[string]string{
		"another issuer":           f.token(t, nil, members{"iss": "https://evil.example"}),
		"no issuer":                f.token(t, nil, members{"iss": nil}),
		"another audience":         f.token(t, nil, members{"aud": "https://api.example.com"}),
		"no audience":              f.token(t, nil, members{"aud": nil}),
		"expired":                  f.token(t, nil, members{"exp": time.Now().Add(-time.Minute).Unix()}),
		"no expiry":                f.token(t, nil, members{"exp": nil}),
		"no subject":               f.token(t, nil, members{"sub": nil}),
		"an id_token":              f.token(t, members{"typ": "JWT"}, nil),
		"no type":                  f.token(t, members{"typ": nil}, nil),
		"an alg not accepted here": f.unaccepted(t),
	} {
		api.want(what, "Bearer "+token, http.StatusUnauthorized)
	}
	api.want("the good one", "Bearer "+f.token(t, nil, nil), http.StatusOK)
}

func startsCommand(line string) bool {
	for _, word := range []string{"CODE=", "PKCE=", "TOKENS=", "echo ", "ACCESS=", "REFRESH=", "curl "} {
		if strings.HasPrefix(line, word) {
			return true
		}
	}
	return false
}

// startDevForPeople returns all of the greeting.
func startDevForPeople(t *testing.T, dir string) (*process, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "greeting")
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p := &process{t: t, cmd: exec.Command(signetBinary(t), "dev", "--dir", dir, "--listen", "127.0.0.1:0"), stderr: &lockedBuffer{}, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.kill)
	waitFor(t, "the greeting", func() bool { return strings.Contains(p.stderr.String(), "msg=serving") })
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return p, string(text)
}

// waitFor polls for something that another process does.
func waitFor(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

// needs skips a test that lacks a component; where everything is to be run, that is a failure.
func needs(t testing.TB, what, install string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", what, install)
	}
	t.Skipf("%s is missing: %s", what, install)
}

// post sends a form and returns status and JSON.
func post(t testing.TB, address string, params url.Values) (int, map[string]any) {
	t.Helper()
	res, err := http.PostForm(address, params)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(res.Body).Decode(&body)
	return res.StatusCode, body
}

func (d demo) login() url.Values {
	return url.Values{"grant_type": {"password"}, "client_id": {d.ClientID}, "client_secret": {d.ClientSecret}, "username": {d.Username}, "password": {d.Password}}
}

func (d demo) refresh(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "client_id": {d.ClientID}, "client_secret": {d.ClientSecret}, "refresh_token": {token}}
}

func TestDevFindsEverythingAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startDev(t, dir)
	address := strings.TrimPrefix(first.demo.Issuer, "http://")
	status, tokens := post(t, first.demo.Issuer+"/token", first.demo.login())
	if status != http.StatusOK {
		t.Fatalf("login: got %d %v", status, tokens)
	}
	if code := first.stop(); code != 0 {
		t.Errorf("SIGTERM: exited with %d, want 0\n%s", code, first.stderr)
	}
	second := startDev(t, dir, address)
	if second.demo.ClientSecret != first.demo.ClientSecret || second.demo.Password != first.demo.Password || second.demo.Issuer != first.demo.Issuer {
		t.Errorf("the second start prints %+v, the first printed %+v", second.demo, first.demo)
	}
	if status, body := post(t, second.demo.Issuer+"/token", second.demo.refresh(tokens["refresh_token"].(string))); status != http.StatusOK {
		t.Errorf("refresh after the restart: got %d %v", status, body)
	}
}

// FastAPI's guide sends no client at all; the dev server takes it for the public demo client.
func TestDevDefaultClient(t *testing.T) {
	t.Parallel()
	p := startDev(t, t.TempDir())
	status, body := post(t, p.demo.Issuer+"/token", url.Values{"grant_type": {"password"}, "username": {p.demo.Username}, "password": {p.demo.Password}})
	if status != http.StatusOK {
		t.Errorf("got %d %v, want 200", status, body)
	}
}

// Settings are tried with their variables; what development mode stands on stays as it is.
func TestDevTakesSettings(t *testing.T) {
	t.Setenv("SIGNET_ACCESS_TOKEN_TTL", "42s")
	t.Setenv("SIGNET_DATA_DIR", t.TempDir())
	dir := t.TempDir()
	p := startDev(t, dir)
	if want := filepath.Join(dir, "admin.sock"); p.demo.AdminSocket != want {
		t.Errorf("a flag is stronger than a variable: got socket %s, want %s", p.demo.AdminSocket, want)
	}
	if _, tokens := post(t, p.demo.Issuer+"/token", p.demo.login()); tokens["expires_in"] != float64(42) {
		t.Errorf("got %v, want expires_in 42", tokens)
	}
	t.Setenv("SIGNET_REFRESH_GRACE", "2h")
	_, stderr, code := runSignet(t, "", "dev", "--dir", t.TempDir(), "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "refresh.grace") {
		t.Errorf("a setting out of range: got exit %d and %q", code, stderr)
	}
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	busy := startDev(t, t.TempDir())
	busyAddress := strings.TrimPrefix(busy.demo.Issuer, "http://")
	taken := t.TempDir()
	owner := startDev(t, taken)
	install := t.TempDir()
	if _, stderr, code := runSignet(t, "", "init", "--dir", install, "--issuer", "https://auth.example.com"); code != 0 {
		t.Fatalf("init: %s", stderr)
	}
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"beyond loopback":    {[]string{"--dir", t.TempDir(), "--listen", "0.0.0.0:0"}, 2, "this one only"},
		"every interface":    {[]string{"--dir", t.TempDir(), "--listen", ":8080"}, 2, "this one only"},
		"a port in use":      {[]string{"--dir", t.TempDir(), "--listen", busyAddress}, 1, "another program is using " + busyAddress},
		"a directory in use": {[]string{"--dir", taken, "--listen", "127.0.0.1:0"}, 1, "in use by another process"},
		"an install to keep": {[]string{"--dir", install, "--listen", "127.0.0.1:0"}, 1, "signet serve --config"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := runSignet(t, "", append([]string{"dev"}, test.args...)...)
			if code != test.code || !strings.Contains(stderr, test.says) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("got exit %d and %q, want %d and one line with %q", code, stderr, test.code, test.says)
			}
		})
	}
	if status, _ := post(t, owner.demo.Issuer+"/token", owner.demo.login()); status != http.StatusOK {
		t.Errorf("the server whose directory was wanted: got %d, want it unharmed", status)
	}
}

// A place that cannot be written to is said to be one, with what to do. (A file in the way stops
// root as well, whom modes do not.)
func TestDevWhereNothingCanBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	_, stderr, code := runSignet(t, "", "dev", "--dir", filepath.Join(file, "data"), "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "choose another --dir") || strings.Count(stderr, "\n") != 1 {
		t.Errorf("got exit %d and %q", code, stderr)
	}
}

// TestDevAdminListener: the admin API over TCP is there where the variable asks for it, on loopback alone, and neither
// listener takes a request that names another host.
func TestDevAdminListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	admin := listener.Addr().String()
	t.Setenv("SIGNET_ADMIN_LISTEN", admin)
	_, stderr, code := runSignet(t, "", "dev", "--dir", t.TempDir(), "--listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(stderr, "admin.listen: another program is using "+admin) || strings.Contains(stderr, "--listen") {
		t.Errorf("a port in use: got exit %d and %q", code, stderr)
	}
	listener.Close()
	p := startDev(t, t.TempDir())
	secret := strings.Fields(mustRun(t, "client", "create", "--socket", p.demo.AdminSocket, "--id", "ops", "--grant", "client_credentials", "--scope", "signet:users"))[3]
	_, tokens := post(t, p.demo.Issuer+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"ops"}, "client_secret": {secret}, "scope": {"signet:users"}})
	for _, c := range []struct {
		url, host string
		status    int
	}{
		{"http://" + admin + "/v1/users", "", http.StatusOK},
		{"http://" + admin + "/v1/clients", "", http.StatusForbidden}, // not the scope
		{"http://" + admin + "/v1/users", "localhost:1", http.StatusOK},
		{"http://" + admin + "/v1/users", "evil.example", http.StatusForbidden},
		{p.demo.Issuer + "/healthz", "", http.StatusOK},
		{p.demo.Issuer + "/healthz", "evil.example:8080", http.StatusForbidden},
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", c.url, nil)
		req.Host = c.host
		req.Header.Set("Authorization", fmt.Sprintf("Bearer %v", tokens["access_token"]))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status {
			t.Errorf("%s with Host %q: got %d, want %d", c.url, c.host, res.StatusCode, c.status)
		}
	}
	t.Setenv("SIGNET_ADMIN_LISTEN", "0.0.0.0:0")
	if _, stderr, code := runSignet(t, "", "dev", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"); code != 2 || !strings.Contains(stderr, "SIGNET_ADMIN_LISTEN 0.0.0.0:0 could be reached") {
		t.Errorf("beyond loopback: got exit %d and %q", code, stderr)
	}
}

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := runSignet(t, "", args...)
	if code != 0 {
		t.Fatalf("signet %s: exit %d, %s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}
