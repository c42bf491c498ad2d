package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"signet/cmd/signet/internal/install/installtest"
	"signet/store/redis/redistest"
)

// balancer is HAProxy with the configuration of deploy/README.md, whose requests go to each replica in turn.
type balancer struct {
	http.RoundTripper
	mu     sync.Mutex
	served []string // the replica of each request
}

// RoundTrip notes which replica has answered.
func (b *balancer) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.RoundTripper.RoundTrip(req)
	if err == nil && res.Header.Get("X-Served-By") != "" {
		b.mu.Lock()
		b.served = append(b.served, res.Header.Get("X-Served-By"))
		b.mu.Unlock()
	}
	return res, err
}

// startBalancer runs HAProxy in front of two replicas.
func startBalancer(t testing.TB, replicas []*replica) *balancer {
	t.Helper()
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	installtest.WriteCertificate(t, certificate, key, 1)
	pem := readFile(t, certificate)
	if err := os.WriteFile(filepath.Join(dir, "auth.example.com.pem"), []byte(pem+readFile(t, key)), 0o600); err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("bind :443", "bind fd@3", "/etc/haproxy", dir, "10.0.0.5:8080", replicas[0].address, "10.0.0.6:8080", replicas[1].address).
		Replace(blockOf(t, "deploy/README.md", "haproxy haproxy.cfg"))
	address, straight := startHAProxy(t, config+"  http-response set-header X-Served-By %s\n"), net.Dialer{}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(pem))
	return &balancer{RoundTripper: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if to == "auth.example.com:443" {
				to = address
			}
			return straight.DialContext(ctx, network, to)
		}}}
}

// blockOf returns the block of a page with that directive.
func blockOf(t testing.TB, path, directive string) string {
	t.Helper()
	for _, b := range parseBlocks(t, path, page(t, path)) {
		if b.directive == directive {
			return b.text
		}
	}
	t.Fatalf("%s has no block with the directive %s", path, directive)
	return ""
}

// codeApp is a confidential client that does each step itself, so that the test can see every answer.
type codeApp struct {
	t          testing.TB
	http       *http.Client
	issuer     string
	id, secret string
	callback   string
}

const codeVerifier = "a-code-verifier-of-more-than-forty-three-characters"

// request is an authorization request of the app.
func (a *codeApp) request() url.Values {
	sum := sha256.Sum256([]byte(codeVerifier))
	return url.Values{"response_type": {"code"}, "client_id": {a.id}, "redirect_uri": {a.callback}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
}

// post sends a form with the credentials of the app.
func (a *codeApp) post(path string, form url.Values) (int, map[string]any) {
	a.t.Helper()
	form.Set("client_id", a.id)
	form.Set("client_secret", a.secret)
	res, err := a.http.PostForm(a.issuer+path, form)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var body map[string]any
	_ = json.Unmarshal(raw, &body)
	return res.StatusCode, body
}

// redemption is the exchange of the code with which a browser came back.
func (a *codeApp) redemption(p *seen) url.Values {
	a.t.Helper()
	code := p.wants(a.t, a.callback).at.Query().Get("code")
	if code == "" {
		a.t.Fatalf("there is no code in %s", p.at)
	}
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.callback}, "code_verifier": {codeVerifier}}
}

// TestOneLoginOverTwoReplicas: HAProxy gives each request of a login to another replica than the one before. Two replicas that get one
// code at once give tokens for it once.
func TestOneLoginOverTwoReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Persist: true})
	f := startFleet(t, 2, "redis://"+server.Addr(), "SIGNET_TRUSTED_PROXIES=127.0.0.1")
	front := startBalancer(t, f.replicas)
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "welcome") }))
	t.Cleanup(home.Close)
	client := &http.Client{Transport: front}
	app := func(id string, more ...string) *codeApp {
		a := &codeApp{t: t, http: client, issuer: f.app.Issuer, id: id, callback: home.URL + "/" + id}
		a.secret = f.replicas[0].createWebApp(id, a.callback, append(more, "--post-logout-uri", home.URL+"/bye")...)
		return a
	}
	orders, stock := app("orders", "--require-par"), app("stock")

	for first, before := range map[string]string{"one": "two", "two": "one"} {
		t.Run("beginning at replica "+first, func(t *testing.T) {
			for !strings.HasSuffix(strings.Join(front.served, " "), before) {
				res, err := client.Get(f.app.Issuer + "/.well-known/openid-configuration")
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
			}
			front.served = nil
			v := newVisitor(t, f.app)
			v.client.Transport = front
			step := func(what string, status, wantStatus int, body map[string]any) {
				t.Helper()
				if status != wantStatus {
					t.Fatalf("%s: got %d %v, want %d", what, status, body, wantStatus)
				}
			}
			status, pushed := orders.post("/par", orders.request())
			step("PAR", status, http.StatusCreated, pushed)
			page := v.open(f.app.Issuer + "/authorize?" + url.Values{"client_id": {"orders"}, "request_uri": {pushed["request_uri"].(string)}}.Encode())
			status, tokens := orders.post("/token", orders.redemption(v.signIn(page)))
			step("the code", status, http.StatusOK, tokens)
			status, tokens = orders.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}})
			step("a refresh", status, http.StatusOK, tokens)
			status, second := stock.post("/token", stock.redemption(v.open(f.app.Issuer+"/authorize?"+stock.request().Encode())))
			step("the code of the second app", status, http.StatusOK, second)
			if v.passwords != 1 {
				t.Errorf("the user typed the password %d times, want once", v.passwords)
			}
			v.open(f.app.Issuer+"/logout?"+url.Values{"id_token_hint": {second["id_token"].(string)}, "post_logout_redirect_uri": {home.URL + "/bye"}}.Encode()).
				wants(t, home.URL+"/bye")
			for a, lost := range map[*codeApp]map[string]any{orders: tokens, stock: second} {
				status, body := a.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {lost["refresh_token"].(string)}})
				step("a refresh after the logout", status, http.StatusBadRequest, body)
			}
			if page := v.open(f.app.Issuer + "/authorize?" + stock.request().Encode()); !page.asksForPassword() {
				t.Errorf("after the logout the second app gets a code: %s", page.at)
			}
			if want := strings.Repeat(first+" "+before+" ", 5) + first; strings.Join(front.served, " ") != want {
				t.Errorf("the replicas were %v: the test proves nothing", front.served)
			}
		})
	}

	t.Run("a race for one code", func(t *testing.T) {
		v := newVisitor(t, f.app)
		v.client.Transport = front
		page := v.signIn(v.open(f.app.Issuer + "/authorize?" + stock.request().Encode()))
		for range 10 {
			form := stock.redemption(page)
			form.Set("client_id", stock.id)
			form.Set("client_secret", stock.secret)
			var answers sync.WaitGroup
			statuses, tokens, start := make([]int, 2), make([]map[string]any, 2), make(chan struct{})
			for i, r := range f.replicas {
				answers.Go(func() {
					<-start
					statuses[i], _, tokens[i], _ = r.post("/token", form)
				})
			}
			close(start)
			answers.Wait()
			winner := slices.Index(statuses, http.StatusOK)
			if winner < 0 || statuses[1-winner] != http.StatusBadRequest || tokens[1-winner]["error"] != "invalid_grant" {
				t.Fatalf("got %v %v and %v, want one 200 and one invalid_grant", statuses, tokens[0]["error"], tokens[1]["error"])
			}
			// The code was used twice: its session has ended (RFC 9700 §4.5), and that of the browser has not.
			status, body := stock.post("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens[winner]["refresh_token"].(string)}})
			if status != http.StatusBadRequest || body["error"] != "invalid_grant" {
				t.Errorf("the session goes on: %d %v", status, body)
			}
			page = v.open(f.app.Issuer + "/authorize?" + stock.request().Encode())
		}
	})
}
