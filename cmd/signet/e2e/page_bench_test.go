package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"signet/store/redis/redistest"
)

// BenchmarkPageCPU prints what a sign-in through the page costs the server's processes, as a multiple of the grant that it
// stands instead of, measured in turn with it in the same run:
//
//	login    the page, its form and the code, against the password grant
//	silent   the next app of a browser that is signed in, and the code, against a refresh
//
// Each sign-in begins a session. A user may have ten here, so that it ends an earlier one. The style sheet of the page is not
// counted: browsers keep it.
//
//	go test ./cmd/signet/e2e -run '^$' -bench PageCPU -benchtime 1x
func BenchmarkPageCPU(b *testing.B) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		b.Skip("needs /proc to read what a process used")
	}
	for _, row := range []struct{ name, store string }{{"bolt", "bolt:signet.db"}, {"redis", "redis"}} {
		b.Run(row.name, func(b *testing.B) {
			store := row.store
			if store == "redis" {
				store = "redis://" + redistest.Start(b, redistest.Config{}).Addr()
			}
			s := startSide(b, buildSignet(b), store, []string{"SIGNET_REFRESH_SESSIONS_PER_USER=10"})
			const workers = 8
			addCodeClient(b, s, workers)
			b.Run("login", func(b *testing.B) {
				compareWork(b, s.pid, 1, s.signInByPage, repeatForm(s.app.Issuer, s.passwordGrant(0)))
			})
			b.Run("silent", func(b *testing.B) {
				compareWork(b, s.pid, workers, s.signInSilently, s.refreshCodeApp)
			})
		})
	}
}

const (
	pageApp      = "shop"
	pageCallback = "http://127.0.0.1/callback"
)

// addCodeClient registers a public client that may use every grant of a user, and a user for each worker.
func addCodeClient(b *testing.B, s *benchSide, workers int) {
	b.Helper()
	for worker := range workers {
		s.run(s.app.Password, "user", "create", "--config", s.config, "--username", userOf(worker), "--password-stdin")
	}
	s.run("", "client", "create", "--config", s.config, "--id", pageApp, "--public", "--grant", "authorization_code,password,refresh_token",
		"--scope", "profile", "--redirect-uri", pageCallback)
}

func userOf(worker int) string { return fmt.Sprintf("ada%d", worker) }

func (s *benchSide) passwordGrant(worker int) url.Values {
	return url.Values{"client_id": {pageApp}, "scope": {"profile"}, "grant_type": {"password"}, "username": {userOf(worker)}, "password": {s.app.Password}}
}

// compareWork measures two kinds of work at one server in turn, and reports the median of their ratios.
func compareWork(b *testing.B, pid, workers int, work, ground func(int) func() error) {
	var ratios, costs []float64
	for range 5 {
		least := cpuPerRequest(b, pid, workers, ground)
		cost := cpuPerRequest(b, pid, workers, work)
		ratios, costs = append(ratios, cost/least), append(costs, cost)
	}
	slices.Sort(ratios)
	slices.Sort(costs)
	b.ReportMetric(ratios[2], "x-grant")
	b.ReportMetric(costs[2]*1e6, "cpu-µs/sign-in")
	b.ReportMetric(0, "ns/op")
}

// codeBrowser is a browser as far as a server sees one.
type codeBrowser struct {
	side    *benchSide
	cookies map[string]string
}

var requestFieldOf = regexp.MustCompile(`name="request" value="([^"]*)"`)

func (c *codeBrowser) send(method, path string, form url.Values) (*http.Response, []byte, error) {
	r, err := http.NewRequest(method, c.side.app.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	for name, value := range c.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", c.side.app.Issuer)
	}
	res, err := benchClient.Transport.RoundTrip(r) // follows no redirect
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		c.cookies[cookie.Name] = cookie.Value
	}
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// open goes to the authorization endpoint.
func (c *codeBrowser) open(challenge string) (*http.Response, []byte, error) {
	return c.send(http.MethodGet, "/authorize?"+authorizationRequest(challenge).Encode(), nil)
}

func authorizationRequest(challenge string) url.Values {
	return url.Values{"client_id": {pageApp}, "response_type": {"code"}, "redirect_uri": {pageCallback}, "scope": {"profile"},
		"state": {"af0ifjsldkj"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"}}
}

// signIn fills the form in, and returns where the browser is sent.
func (c *codeBrowser) signIn(page []byte, worker int) (*http.Response, error) {
	field := requestFieldOf.FindSubmatch(page)
	if field == nil {
		return nil, fmt.Errorf("no form: %s", page)
	}
	res, body, err := c.send(http.MethodPost, "/sign-in", url.Values{"request": {html.UnescapeString(string(field[1]))},
		"username": {userOf(worker)}, "password": {c.side.app.Password}})
	if err == nil && res.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return res, err
}

// redeem exchanges the code that the browser was sent on with.
func (c *codeBrowser) redeem(res *http.Response, verifier string) error {
	there, err := res.Location()
	if err != nil {
		return fmt.Errorf("%s: %w", res.Status, err)
	}
	_, err = ask(benchClient.PostForm(c.side.app.Issuer+"/token", url.Values{"client_id": {pageApp}, "grant_type": {"authorization_code"},
		"code": {there.Query().Get("code")}, "redirect_uri": {pageCallback}, "code_verifier": {verifier}}))
	return err
}

func pkce() (verifier, challenge string) {
	verifier = strings.Repeat("verifier-", 6)
	sum := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(sum[:])
}

// signInByPage signs in with a browser that is new each time.
func (s *benchSide) signInByPage(worker int) func() error {
	verifier, challenge := pkce()
	return func() error {
		c := &codeBrowser{side: s, cookies: map[string]string{}}
		_, page, err := c.open(challenge)
		if err != nil {
			return err
		}
		res, err := c.signIn(page, worker)
		if err != nil {
			return err
		}
		return c.redeem(res, verifier)
	}
}

// signInSilently gives each worker a browser that is signed in, a new one each time: other logins may have ended the last one.
func (s *benchSide) signInSilently(worker int) func() error {
	verifier, challenge := pkce()
	c := &codeBrowser{side: s, cookies: map[string]string{}}
	_, page, err := c.open(challenge)
	if err == nil {
		_, err = c.signIn(page, worker)
	}
	if err != nil {
		s.b.Fatal(err)
	}
	return func() error {
		res, _, err := c.open(challenge)
		if err != nil {
			return err
		}
		return c.redeem(res, verifier)
	}
}

// refreshCodeApp gives each worker a session of the app, a new one each time.
func (s *benchSide) refreshCodeApp(worker int) func() error {
	step := func(form url.Values) (string, error) {
		body, err := ask(benchClient.PostForm(s.app.Issuer+"/token", form))
		if err != nil {
			return "", err
		}
		var tokens struct {
			RefreshToken string `json:"refresh_token"`
		}
		return tokens.RefreshToken, json.Unmarshal(body, &tokens)
	}
	token, err := step(s.passwordGrant(worker))
	if err != nil {
		s.b.Fatal(err)
	}
	return func() (err error) {
		token, err = step(url.Values{"client_id": {pageApp}, "grant_type": {"refresh_token"}, "refresh_token": {token}})
		return err
	}
}
