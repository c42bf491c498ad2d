package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

// soakVerifier is a library that verifies tokens with the key set at a URL.
type soakVerifier struct {
	name   string
	verify func(token string) error
	leeway time.Duration // that it adds to exp
	breaks bool          // the promise to cache for J at most; then it must fail
}

// soakVerifiers are real libraries, each such as to keep a key set for J and to fetch no sooner, with
// one exception: go-oidc fetches only when a kid is unknown.
func soakVerifiers(t *testing.T, url, issuer, audience string, cache time.Duration) []soakVerifier {
	seconds, milliseconds := fmt.Sprint(int(cache/time.Second)), fmt.Sprint(cache.Milliseconds())
	node, folder := joseFolder(t)
	strict := keyfunc.Override{RefreshInterval: cache, HTTPTimeout: 5 * time.Second, RefreshUnknownKID: rate.NewLimiter(0, 0), RateLimitWaitMax: time.Millisecond}
	const leeway = time.Second // L of the preset
	return []soakVerifier{
		{"PyJWT", lineVerifier(t, exec.Command(pyJWT(t), "testdata/soak/pyjwt.py", url, issuer, audience, seconds)), leeway, false},
		{"jose", lineVerifier(t, joseCommand(node, folder, url, issuer, audience, milliseconds)), leeway, false},
		{"keyfunc", keyfuncVerifier(t, url, issuer, audience, strict), leeway, false},
		{"go-oidc", oidcVerifier(t, url, issuer, audience), 0, false},
		{"verifier without a refetch", strictVerifier(url, issuer, audience, cache), leeway, false},
		{"jose, caching for an hour", lineVerifier(t, joseCommand(node, folder, url, issuer, audience, "3600000")), leeway, true},
		{"keyfunc as it comes", keyfuncVerifier(t, url, issuer, audience, keyfunc.Override{RateLimitWaitMax: time.Millisecond}), leeway, true},
	}
}

// pyJWT is an interpreter that has PyJWT.
func pyJWT(t testing.TB) string {
	t.Helper()
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(python, "-c", "import jwt, cryptography").Run() == nil {
			return python
		}
	}
	needs(t, "PyJWT", "apt-get install python3-jwt python3-cryptography")
	return ""
}

// joseFolder has jose in it, and the script that verifies with it.
func joseFolder(t testing.TB) (node, folder string) {
	t.Helper()
	return npmFolder(t, "soak")
}

func joseCommand(node, folder string, args ...string) *exec.Cmd {
	cmd := exec.Command(node, append([]string{"jose.mjs"}, args...)...)
	cmd.Dir = folder
	return cmd
}

// lineVerifier runs a program that answers each token with a line.
func lineVerifier(t testing.TB, cmd *exec.Cmd) func(token string) error {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr := &lockedBuffer{}
	cmd.Stderr, cmd.Env = stderr, append(os.Environ(), "NO_PROXY=127.0.0.1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	answers := bufio.NewReader(stdout)
	return func(token string) error {
		if _, err := io.WriteString(stdin, token+"\n"); err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		answer, err := answers.ReadString('\n')
		if err != nil {
			return fmt.Errorf("%w: %s", err, stderr)
		}
		if answer = strings.TrimSpace(answer); answer != "ok" {
			return fmt.Errorf("%s", answer)
		}
		return nil
	}
}

func tokenRules(issuer, audience string) []jwt.ParserOption {
	return []jwt.ParserOption{jwt.WithIssuer(issuer), jwt.WithAudience(audience), jwt.WithLeeway(time.Second),
		jwt.WithExpirationRequired(), jwt.WithValidMethods([]string{"ES256"})}
}

func keyfuncVerifier(t testing.TB, url, issuer, audience string, override keyfunc.Override) func(token string) error {
	t.Helper()
	override.RefreshErrorHandlerFunc = func(string) func(context.Context, error) { return func(context.Context, error) {} }
	k, err := keyfunc.NewDefaultOverrideCtx(t.Context(), []string{url}, override)
	if err != nil {
		t.Fatal(err)
	}
	rules := tokenRules(issuer, audience)
	return func(token string) error {
		_, err := jwt.Parse(token, k.Keyfunc, rules...)
		return err
	}
}

func oidcVerifier(t testing.TB, url, issuer, audience string) func(token string) error {
	v := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(t.Context(), url), &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{"ES256"}})
	return func(token string) error {
		_, err := v.Verify(t.Context(), token)
		return err
	}
}

// strictVerifier is the least that a verifier may do: it fetches when what it has is too old to be
// used, and never for another reason.
func strictVerifier(url, issuer, audience string, cache time.Duration) func(token string) error {
	var set jose.JSONWebKeySet
	var got time.Time
	rules := tokenRules(issuer, audience)
	return func(token string) error {
		if time.Since(got) > cache {
			asked := time.Now()
			fresh, err := fetchKeySet(url)
			if err != nil {
				return err
			}
			set, got = fresh, asked
		}
		_, err := jwt.Parse(token, keyFor(set), rules...)
		return err
	}
}

// keyFor returns a function that finds the public key that a token's header names.
func keyFor(set jose.JSONWebKeySet) jwt.Keyfunc {
	return func(token *jwt.Token) (any, error) {
		kid, _ := token.Header["kid"].(string)
		for _, key := range set.Key(kid) {
			if key.Algorithm == token.Method.Alg() {
				return key.Key, nil
			}
		}
		return nil, fmt.Errorf("the key set has no key %q for %s", kid, token.Method.Alg())
	}
}

func fetchKeySet(url string) (set jose.JSONWebKeySet, err error) {
	res, err := fleetClient.Get(url)
	if err != nil {
		return set, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return set, fmt.Errorf("the key set: %s", res.Status)
	}
	return set, json.NewDecoder(res.Body).Decode(&set)
}

// frontCache is a CDN in front of the fleet: it keeps a key set for as long as C allows, whatever its
// header says, and asks one replica after the other.
type frontCache struct {
	cache   time.Duration
	origins func() []string // URLs of the key set, the one to ask first first

	mu    sync.Mutex
	body  []byte
	asked time.Time
	count int
}

func (e *frontCache) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.asked) > e.cache && !e.fetch() {
		http.Error(w, "no replica answers", http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(e.body)
}

// fetch reports whether a replica had a key set.
func (e *frontCache) fetch() bool {
	for _, origin := range e.origins() {
		asked := time.Now()
		res, err := fleetClient.Get(origin)
		if err != nil {
			continue
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil && res.StatusCode == http.StatusOK {
			e.body, e.asked = body, asked
			e.count++
			return true
		}
	}
	return false
}
