package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// startInstall makes an install with `signet init` and runs it with `signet serve`: path is the
// issuer's, the settings are SIGNET_… variables. It has the user ada and the clients web and short,
// whose tokens live for two seconds.
func startInstall(t testing.TB, path string, settings ...string) *process {
	t.Helper()
	dir, addr := t.TempDir(), freeAddress(t)
	p := &process{t: t, stderr: &lockedBuffer{}, exited: make(chan struct{})}
	p.demo = demo{Issuer: "http://" + addr + path, AdminSocket: filepath.Join(dir, "admin.sock"), Username: "ada", Password: "three green herons"}
	environ := append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168", "SIGNET_PASSWORD_ARGON2_TIME=1")
	environ = append(environ, settings...)
	initialize := exec.Command(signetBinary(t), "init", "--dir", dir, "--issuer", p.demo.Issuer, "--listen", addr)
	initialize.Env = environ
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	p.cmd = exec.Command(signetBinary(t), "serve", "--config", filepath.Join(dir, "signet.yaml"))
	p.cmd.Env, p.cmd.Stderr = environ, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.kill)
	waitFor(t, "signet serve", func() bool {
		select {
		case <-p.exited:
			t.Fatalf("signet serve ended:\n%s", p.stderr)
		default:
		}
		return strings.Contains(p.stderr.String(), `"msg":"serving"`)
	})
	p.admin(p.demo.Password, "user", "create", "--username", p.demo.Username, "--password-stdin")
	p.demo.ClientID, p.demo.ClientSecret = "web", p.createClient("web")
	return p
}

// freeAddress is one without a listener. Another process could take it before its user does.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// admin runs a command against the process's admin socket.
func (p *process) admin(stdin string, args ...string) string {
	p.t.Helper()
	cmd := exec.Command(signetBinary(p.t), append(args, "--socket", p.demo.AdminSocket)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // a second a command otherwise
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		p.t.Fatalf("signet %v: %v", args, err)
	}
	return string(out)
}

// createClient registers a confidential client that may use every grant, and returns its secret.
func (p *process) createClient(id string, more ...string) string {
	p.t.Helper()
	var made clientRecord
	out := p.admin("", append([]string{"client", "create", "--id", id, "--grant", "password,refresh_token,client_credentials",
		"--scope", "profile,orders:read", "--claim-name", "preferred_username", "-o", "json"}, more...)...)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Secret == "" {
		p.t.Fatalf("client create printed %q: %v", out, err)
	}
	return made.Secret
}

// sessions are the user's, as the operator sees them.
func (p *process) sessions() []sessionRecord {
	p.t.Helper()
	var list struct {
		Sessions []sessionRecord `json:"sessions"`
	}
	out := p.admin("", "session", "list", "--user", p.demo.Username, "-o", "json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		p.t.Fatalf("session list printed %q: %v", out, err)
	}
	return list.Sessions
}

// tokenRequests notes what golang.org/x/oauth2 sends to /token: how the client is named, and the form.
type tokenRequests struct {
	mu         sync.Mutex
	styles     []string
	forms      []url.Values
	loseAnswer int // this many answers are lost on their way
}

func (r *tokenRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/token") {
		return http.DefaultTransport.RoundTrip(req)
	}
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	req.Body = io.NopCloser(bytes.NewReader(raw))
	form, _ := url.ParseQuery(string(raw))
	style := "body"
	if _, _, ok := req.BasicAuth(); ok {
		style = "basic"
	}
	r.mu.Lock()
	r.styles, r.forms = append(r.styles, style), append(r.forms, form)
	lose := r.loseAnswer > 0
	r.loseAnswer--
	r.mu.Unlock()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err == nil && lose {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return nil, errors.New("the answer was lost")
	}
	return res, err
}

// seen returns what was sent since it was last asked.
func (r *tokenRequests) seen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	styles := strings.Join(r.styles, " ")
	r.styles = nil
	return styles
}

func (r *tokenRequests) context() context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: r})
}

// oauth2Config is what an app writes. Each one finds out anew how the server wants the client named.
func (d demo) oauth2Config() *oauth2.Config {
	return &oauth2.Config{ClientID: d.ClientID, ClientSecret: d.ClientSecret, Endpoint: oauth2.Endpoint{TokenURL: d.Issuer + "/token"}}
}

func wantRetrieveError(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want the server's refusal", err)
	}
	if refused.Response.StatusCode != status || refused.ErrorCode != code {
		t.Fatalf("got %d %s, want %d %s", refused.Response.StatusCode, refused.Body, status, code)
	}
}

// golang.org/x/oauth2 sends a login that is refused twice, the second time with the client's
// credentials in the body. The person has mistyped once, and must be counted once.
func TestGoClientsPassword(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "", "SIGNET_THROTTLE_PER_ACCOUNT=3")
	requests := &tokenRequests{}
	login := func(password string) (*oauth2.Token, error) {
		return p.demo.oauth2Config().PasswordCredentialsToken(requests.context(), p.demo.Username, password)
	}
	for _, wrong := range []string{"three green Herons", "three green herons "} {
		_, err := login(wrong)
		wantRetrieveError(t, err, http.StatusBadRequest, "invalid_grant")
		if got := requests.seen(); got != "basic body" {
			t.Fatalf("a refused login was sent as %q; the test needs it sent twice", got)
		}
	}
	token, err := login(p.demo.Password)
	if err != nil {
		t.Fatalf("the right password after two mistakes of three: %v", err)
	}
	if got := requests.seen(); got != "basic" {
		t.Errorf("the login was sent as %q, want basic only", got)
	}
	if !token.Valid() || token.Type() != "Bearer" || token.RefreshToken == "" {
		t.Errorf("got type %q, expiry %v, refresh token %t", token.Type(), token.Expiry, token.RefreshToken != "")
	}
	for range 3 {
		_, err = login(fmt.Sprintf("mistake %d", time.Now().UnixNano()))
		wantRetrieveError(t, err, http.StatusBadRequest, "invalid_grant")
	}
	_, err = login("one too many")
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response.StatusCode != http.StatusTooManyRequests || refused.Response.Header.Get("Retry-After") == "" {
		t.Errorf("the fourth mistake: got %v, want 429 with Retry-After", err)
	}
}

func TestGoClientsRefresh(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "")
	d := p.demo
	d.ClientID, d.ClientSecret = "short", p.createClient("short", "--ttl", "2s")
	requests := &tokenRequests{}
	conf := d.oauth2Config()
	first, err := conf.PasswordCredentialsToken(requests.context(), d.Username, d.Password)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the access token to expire", func() bool { return userinfo(t, d, first.AccessToken) == http.StatusUnauthorized })
	requests.seen()
	second, err := conf.TokenSource(requests.context(), first).Token()
	if err != nil {
		t.Fatal(err)
	}
	if got := requests.seen(); got != "basic" {
		t.Errorf("the refresh was sent as %q, want one request with Basic", got)
	}
	if second.AccessToken == first.AccessToken || second.RefreshToken == first.RefreshToken || second.RefreshToken == "" {
		t.Error("the refresh brought no new tokens")
	}
	if got := userinfo(t, d, second.AccessToken); got != http.StatusOK {
		t.Errorf("userinfo with the new token: got %d", got)
	}
	// A fresh process does not know the style yet: when the answer is lost on the way, the library
	// sends the refresh token, which is used up by now, again at once.
	requests.loseAnswer = 1
	expired := &oauth2.Token{AccessToken: second.AccessToken, RefreshToken: second.RefreshToken, Expiry: time.Now().Add(-time.Minute)}
	third, err := d.oauth2Config().TokenSource(requests.context(), expired).Token()
	if err != nil {
		t.Fatalf("a refresh whose answer was lost: %v", err)
	}
	if got := requests.seen(); got != "basic body" {
		t.Errorf("the refresh was sent as %q, want it repeated", got)
	}
	if sessions := p.sessions(); len(sessions) != 1 || sessions[0].Generation != 2 {
		t.Errorf("got %+v, want one session of generation 2: two refreshes, one of them sent twice", sessions)
	}
	if _, err := conf.TokenSource(requests.context(), &oauth2.Token{RefreshToken: third.RefreshToken}).Token(); err != nil {
		t.Errorf("what the repetition brought cannot be refreshed: %v", err)
	}
}

func userinfo(t testing.TB, d demo, accessToken string) int {
	t.Helper()
	client := oauth2.NewClient(context.Background(), oauth2.StaticTokenSource(&oauth2.Token{AccessToken: accessToken}))
	res, err := client.Get(d.Issuer + "/userinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestGoClientsClientCredentials(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir()).demo
	conf := clientcredentials.Config{ClientID: d.ClientID, ClientSecret: d.ClientSecret, TokenURL: d.Issuer + "/token", Scopes: []string{"orders:read"}}
	token, err := conf.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token.Extra("scope") != "orders:read" || token.RefreshToken != "" {
		t.Errorf("got scope %v and refresh token %t, want what was asked for and none", token.Extra("scope"), token.RefreshToken != "")
	}
	if claims := claimsOf(t, token.AccessToken); claims["sub"] != d.ClientID || claims["client_id"] != d.ClientID {
		t.Errorf("got %v, want the client as subject", claims)
	}
	conf.ClientSecret += "x"
	_, err = conf.Token(t.Context())
	wantRetrieveError(t, err, http.StatusUnauthorized, "invalid_client")
	conf.ClientSecret, conf.Scopes = d.ClientSecret, []string{"everything"}
	_, err = conf.Token(t.Context())
	wantRetrieveError(t, err, http.StatusBadRequest, "invalid_scope")
}

// claimsOf reads a token without checking it.
func claimsOf(t testing.TB, token string) (claims map[string]any) {
	t.Helper()
	jwtPart(t, token, 1, &claims)
	return claims
}

// go-oidc finds everything from the issuer, here one with a path, and verifies access tokens.
func TestGoClientsOIDC(t *testing.T) {
	t.Parallel()
	p, other := startInstall(t, "/auth"), startDev(t, t.TempDir())
	provider, err := oidc.NewProvider(t.Context(), p.demo.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	conf := p.demo.oauth2Config()
	conf.Endpoint = provider.Endpoint()
	token, err := conf.PasswordCredentialsToken(t.Context(), p.demo.Username, p.demo.Password)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := other.demo.oauth2Config().PasswordCredentialsToken(t.Context(), other.demo.Username, other.demo.Password)
	if err != nil {
		t.Fatal(err)
	}
	late := func() time.Time { return token.Expiry.Add(time.Second) }
	for name, test := range map[string]struct {
		config oidc.Config
		token  string
		want   string
	}{
		"the audience as client id": {oidc.Config{ClientID: p.demo.Issuer}, token.AccessToken, ""},
		"no audience asked for":     {oidc.Config{SkipClientIDCheck: true}, token.AccessToken, ""},
		"another audience":          {oidc.Config{ClientID: "https://api.example.com"}, token.AccessToken, "expected audience"},
		"a changed claim":           {oidc.Config{SkipClientIDCheck: true}, tamper(t, token.AccessToken, "scope", "everything"), "failed to verify"},
		"another issuer":            {oidc.Config{SkipClientIDCheck: true}, foreign.AccessToken, "failed to verify"},
		"expired":                   {oidc.Config{SkipClientIDCheck: true, Now: late}, token.AccessToken, "expired"},
		"a refresh token":           {oidc.Config{SkipClientIDCheck: true}, token.RefreshToken, "malformed"},
	} {
		verified, err := provider.Verifier(&test.config).Verify(t.Context(), test.token)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if err == nil && (verified.Issuer != p.demo.Issuer || !strings.HasPrefix(verified.Subject, "usr_")) {
			t.Errorf("%s: got issuer %s and subject %s", name, verified.Issuer, verified.Subject)
		}
	}
	info, err := provider.UserInfo(t.Context(), conf.TokenSource(t.Context(), token))
	if err != nil || info.Subject != claimsOf(t, token.AccessToken)["sub"] {
		t.Errorf("userinfo: got %+v, %v", info, err)
	}
}

// tamper changes one claim and leaves header and signature as they are.
func tamper(t testing.TB, token, name string, value any) string {
	t.Helper()
	claims := claimsOf(t, token)
	claims[name] = value
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	return parts[0] + "." + b64(payload) + "." + parts[2]
}

const (
	refreshers        = 8 // processes
	refreshesEach     = 8 // connections of one of them
	refresherVariable = "SIGNET_TEST_REFRESHER"
)

// refreshResult is what one connection saw of its request. Times are nanoseconds of the wall clock,
// which the processes share.
type refreshResult struct {
	Process  int
	Opened   int64 // most of the request was written
	Sent     int64 // its last byte was
	Answered int64
	Status   int
	Access   string
	Refresh  string
	Error    string
}

// Eight processes with eight connections each send one refresh token. All 64 requests lack their
// last byte until each of them is open, so the server has all of them at once.
func TestProcessesRefreshOneTokenAtOnce(t *testing.T) {
	const grace = 3 * time.Second
	p := startInstall(t, "", "SIGNET_REFRESH_GRACE=3s")
	status, tokens := post(t, p.demo.Issuer+"/token", p.demo.login())
	if status != http.StatusOK {
		t.Fatalf("login: got %d %v", status, tokens)
	}
	token := tokens["refresh_token"].(string)
	released, results := refreshAtOnce(t, p.demo, token)
	checkOverlap(t, results)
	accessTokens, successor := map[string]bool{}, results[0].Refresh
	for _, r := range results {
		if r.Status != http.StatusOK || r.Refresh != successor {
			t.Errorf("process %d: got %d %s and the successor of the others %t", r.Process, r.Status, r.Error, r.Refresh == successor)
		}
		accessTokens[r.Access] = true
	}
	if len(accessTokens) != refreshers*refreshesEach {
		t.Errorf("%d different access tokens for %d requests", len(accessTokens), len(results))
	}
	if successor == token || successor == "" {
		t.Error("there is no successor")
	}
	if sessions := p.sessions(); len(sessions) != 1 || sessions[0].Generation != 1 {
		t.Errorf("got %+v, want one session that went one generation on", sessions)
	}
	p.wantOutcomes("rotated", 1)
	p.wantOutcomes("replayed", refreshers*refreshesEach-1)

	// Nobody has used the successor, so after the grace window it is skipped and another one is given out.
	var body map[string]any
	waitFor(t, "the grace window to end", func() bool {
		status, body = post(t, p.demo.Issuer+"/token", p.demo.refresh(token))
		return status != http.StatusOK || body["refresh_token"] != successor
	})
	next, _ := body["refresh_token"].(string)
	if took := time.Since(released); status != http.StatusOK || next == "" || next == token || took < grace {
		t.Errorf("after %v: got %d %v, want another successor and not before %v", took, status, body, grace)
	}
	if sessions := p.sessions(); len(sessions) != 1 || sessions[0].Generation != 2 {
		t.Errorf("got %+v, want one session that went two generations on", sessions)
	}
	p.wantOutcomes("late", 1)
	if status, body = post(t, p.demo.Issuer+"/token", p.demo.refresh(successor)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Errorf("the skipped successor: got %d %v, want invalid_grant", status, body)
	}
	if status, body = post(t, p.demo.Issuer+"/token", p.demo.refresh(next)); status != http.StatusBadRequest || body["error"] != "invalid_grant" {
		t.Errorf("the current token after the reuse: got %d %v, want the session ended", status, body)
	}
	if status := userinfo(t, p.demo, results[0].Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo after the reuse: got %d, want 401", status)
	}
	if sessions := p.sessions(); len(sessions) != 0 {
		t.Errorf("got %+v, want no session", sessions)
	}
	p.wantOutcomes("reuse", 1)
}

// refreshAtOnce starts the processes, lets them go together, and gathers what they saw.
func refreshAtOnce(t *testing.T, d demo, token string) (released time.Time, results []refreshResult) {
	t.Helper()
	job, err := json.Marshal([]string{strings.TrimPrefix(d.Issuer, "http://"), d.refresh(token).Encode()})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	type child struct {
		cmd  *exec.Cmd
		in   io.WriteCloser
		out  *bufio.Reader
		errs *lockedBuffer
	}
	children := make([]child, refreshers)
	for i := range children {
		c := child{cmd: exec.CommandContext(t.Context(), self, "-test.run=^TestProcessesRefresher$"), errs: &lockedBuffer{}}
		c.cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", refresherVariable+"="+string(job))
		c.cmd.Stderr = c.errs
		stdout, err := c.cmd.StdoutPipe()
		if err == nil {
			c.in, err = c.cmd.StdinPipe()
		}
		if err == nil {
			err = c.cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		c.out = bufio.NewReader(stdout)
		children[i] = c
	}
	for _, c := range children {
		if line, err := c.out.ReadString('\n'); line != "ready\n" {
			t.Fatalf("a process said %q: %v\n%s", line, err, c.errs)
		}
	}
	released = time.Now()
	for _, c := range children {
		c.in.Close()
	}
	for i, c := range children {
		line, err := c.out.ReadBytes('\n')
		var seen []refreshResult
		if err == nil {
			err = json.Unmarshal(line, &seen)
		}
		if err != nil {
			t.Fatalf("a process printed %q: %v\n%s", line, err, c.errs)
		}
		for _, r := range seen {
			r.Process = i
			results = append(results, r)
		}
		_, _ = io.Copy(io.Discard, c.out)
		if err := c.cmd.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, c.errs)
		}
	}
	if len(results) != refreshers*refreshesEach {
		t.Fatalf("got %d answers", len(results))
	}
	return released, results
}

// checkOverlap proves that every request was open before any was answered, and counts how many
// waited for their answer at the same moment.
func checkOverlap(t *testing.T, results []refreshResult) {
	t.Helper()
	opened, answered := results[0].Opened, results[0].Answered
	most, fromProcesses := 0, 0
	for _, r := range results {
		opened, answered = max(opened, r.Opened), min(answered, r.Answered)
		waiting, processes := 0, map[int]bool{}
		for _, other := range results {
			if other.Sent <= r.Sent && r.Sent < other.Answered {
				waiting++
				processes[other.Process] = true
			}
		}
		most, fromProcesses = max(most, waiting), max(fromProcesses, len(processes))
	}
	t.Logf("%d requests, all open %v before the first answer; up to %d from %d processes waited for an answer at the same moment",
		len(results), time.Duration(answered-opened), most, fromProcesses)
	if opened >= answered {
		t.Error("a request was answered before the last was open: the test proves nothing")
	}
	if fromProcesses < 2 {
		t.Error("no two processes waited for an answer at the same moment: the test proves nothing")
	}
}

// TestProcessesRefresher is not a test: it is one of the processes of the test above.
func TestProcessesRefresher(t *testing.T) {
	var job []string
	if text := os.Getenv(refresherVariable); text == "" {
		t.Skip("nothing by itself: TestProcessesRefreshOneTokenAtOnce starts it")
	} else if err := json.Unmarshal([]byte(text), &job); err != nil || len(job) != 2 {
		t.Fatalf("%s: %v", refresherVariable, err)
	}
	results := make([]refreshResult, refreshesEach)
	var open, done sync.WaitGroup
	release := make(chan struct{})
	for i := range results {
		open.Add(1)
		done.Go(func() {
			if err := results[i].refresh(job[0], job[1], open.Done, release); err != nil {
				results[i].Error = err.Error()
			}
		})
	}
	open.Wait()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has seen all of them
	close(release)
	done.Wait()
	if err := json.NewEncoder(os.Stdout).Encode(results); err != nil {
		t.Fatal(err)
	}
}

// refresh writes the request but for its last byte, calls opened, and ends it when released.
func (r *refreshResult) refresh(address, form string, opened func(), release <-chan struct{}) error {
	conn, err := net.Dial("tcp", address)
	if err == nil {
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
			"Content-Length: %d\r\n\r\n%s", address, len(form), form[:len(form)-1])
	}
	r.Opened = time.Now().UnixNano()
	opened()
	<-release
	if err != nil {
		return err
	}
	r.Sent = time.Now().UnixNano()
	if _, err := io.WriteString(conn, form[len(form)-1:]); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var body map[string]any
	err = json.NewDecoder(res.Body).Decode(&body)
	r.Answered, r.Status = time.Now().UnixNano(), res.StatusCode
	r.Access, _ = body["access_token"].(string)
	r.Refresh, _ = body["refresh_token"].(string)
	return err
}

// wantOutcomes checks how often refreshing came out so, by the server's own count.
func (p *process) wantOutcomes(outcome string, want int) {
	p.t.Helper()
	if got := p.outcomes(outcome); got != want {
		p.t.Errorf("%s: got %d, want %d", outcome, got, want)
	}
}

func (p *process) outcomes(outcome string) int {
	p.t.Helper()
	return int(p.metric(fmt.Sprintf("signet_refresh_outcomes_total{outcome=%q}", outcome)))
}

// metric is a number of the server's own, 0 where it has none of that name.
func (p *process) metric(name string) float64 {
	p.t.Helper()
	_, rest, found := strings.Cut("\n"+p.metrics(), "\n"+name+" ")
	if !found {
		return 0
	}
	value, _, _ := strings.Cut(rest, "\n")
	n, err := strconv.ParseFloat(value, 64)
	if err != nil {
		p.t.Fatalf("%s is %q", name, value)
	}
	return n
}

// metrics is all that the server counts, as Prometheus reads it.
func (p *process) metrics() string {
	p.t.Helper()
	res, err := p.socketClient().Get("http://signet/metrics")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	metrics, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(metrics)
}
