package e2e

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// oauth2Proxy is the version that is tried. It is no requirement of the module: Go compiles it as a program of its own.
const oauth2Proxy = "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6"

// installOAuth2Proxy returns the program.
func installOAuth2Proxy(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	install := exec.Command("go", "install", oauth2Proxy)
	install.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := install.CombinedOutput(); err != nil {
		needs(t, fmt.Sprintf("oauth2-proxy (%v: %s)", err, out), "go install "+oauth2Proxy)
	}
	return filepath.Join(dir, "oauth2-proxy")
}

// guardedPage is a page behind oauth2-proxy, with the configuration of testdata/oauth2-proxy.
type guardedPage struct {
	t   testing.TB
	url string
	log *lockedBuffer
}

// startOAuth2Proxy runs it as a client of that ID, with changes to its configuration.
func startOAuth2Proxy(t testing.TB, program string, p *process, clientID string, changes ...string) *guardedPage {
	t.Helper()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<p>%s, with a token of %s</p>", r.Header.Get("X-Forwarded-Email"), r.Header.Get("X-Forwarded-Access-Token"))
	}))
	t.Cleanup(page.Close)
	address := freeAddress(t)
	secret := p.createWebApp(clientID, "http://"+address+"/oauth2/callback",
		"--post-logout-uri", "http://"+address+"/signed-out")
	file := filepath.Join(t.TempDir(), "oauth2-proxy.cfg")
	replaced := append([]string{"127.0.0.1:8080", strings.TrimPrefix(p.demo.Issuer, "http://"), "127.0.0.1:4180", address, "http://127.0.0.1:8000", page.URL,
		`"wiki"`, `"` + clientID + `"`, `cookie_refresh = "4m"`, `cookie_refresh = "1s"`}, changes...)
	if err := os.WriteFile(file, []byte(strings.NewReplacer(replaced...).Replace(readFile(t, "testdata/oauth2-proxy/oauth2-proxy.cfg"))), 0o600); err != nil {
		t.Fatal(err)
	}
	random := make([]byte, 16)
	rand.Read(random)
	g := &guardedPage{t: t, url: "http://" + address}
	cmd := exec.Command(program, "--config", file)
	cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "OAUTH2_PROXY_CLIENT_SECRET="+secret, "OAUTH2_PROXY_COOKIE_SECRET="+hex.EncodeToString(random))
	g.log = startProgram(t, "oauth2-proxy as "+clientID, cmd, func(string) bool { return answersOK(g.url + "/ping") })
	return g
}

// accessToken returns the one that the page is given.
func (p *seen) accessToken(t testing.TB) string {
	t.Helper()
	_, token, found := strings.Cut(p.body, "with a token of ")
	token, _, ended := strings.Cut(token, "<")
	if !found || !ended {
		t.Fatalf("%s shows no token:\n%s", p.at, p.body)
	}
	return token
}

// signOut is the address of the link to sign out.
func (g *guardedPage) signOut(p *process) string {
	there := p.demo.Issuer + "/logout?id_token_hint={id_token}&post_logout_redirect_uri=" + g.url + "/signed-out"
	return g.url + "/oauth2/sign_out?rd=" + url.QueryEscape(there)
}

// TestOAuth2Proxy: one sign-in for two pages behind proxies, a fresh token for the page, a rotation of the keys, and one logout.
func TestOAuth2Proxy(t *testing.T) {
	t.Parallel()
	program := installOAuth2Proxy(t)
	p := startDev(t, t.TempDir())
	p.admin("", "user", "update", p.demo.Username, "--claim", "email=demo@example.com")
	wiki, board := startOAuth2Proxy(t, program, p, "wiki"), startOAuth2Proxy(t, program, p, "board", "# backend_logout_url", "backend_logout_url")
	v := newVisitor(t, p.demo)
	first := v.signIn(v.open(wiki.url+"/start")).wants(t, wiki.url+"/start", "demo@example.com").accessToken(t)
	v.open(board.url+"/").wants(t, board.url+"/", "demo@example.com")
	if v.passwords != 1 {
		t.Errorf("the user typed the password %d times, want once for both pages", v.passwords)
	}
	p.admin("", "keys", "rotate", "--emergency", "--wait")
	waitFor(t, "a token of the next key", func() bool {
		fresh := v.open(wiki.url+"/").wants(t, wiki.url+"/", "demo@example.com").accessToken(t)
		return kidOf(t, fresh) != kidOf(t, first)
	})
	if p.refreshes() == 0 {
		t.Error("nothing was refreshed")
	}
	other := newVisitor(t, p.demo)
	other.signIn(other.open(board.url+"/")).wants(t, board.url+"/", "demo@example.com") // its id_token is of the next key

	v.open(wiki.signOut(p)).wants(t, wiki.url+"/signed-out")
	if page := v.open(wiki.url + "/"); !page.asksForPassword() {
		t.Errorf("after the logout: %s\n%s", page.at, page.body)
	}
	waitFor(t, "the other page to notice", func() bool { return v.open(board.url + "/").asksForPassword() })
	other.open(board.url+"/").wants(t, board.url+"/", "demo@example.com") // another browser of the same user

	if page := other.open(board.url + "/oauth2/sign_out"); !page.asksForPassword() { // that of the board has signed the browser out by its own request
		t.Errorf("after the logout by the proxy: %s\n%s", page.at, page.body)
	}
}
