package e2e

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// createKeyClient registers a client that authenticates by the key in the file.
func (p *process) createKeyClient(id, public string) clientRecord {
	p.t.Helper()
	var made clientRecord
	out := p.admin("", "client", "create", "--id", id, "--grant", "password,refresh_token,client_credentials", "--introspect",
		"--scope", "profile,orders:read", "--jwks", public, "-o", "json")
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Secret != "" {
		p.t.Fatalf("client create printed %q: %v; want no secret", out, err)
	}
	return made
}

// oauth4webapi, as it comes, is a client with a key of its own: with every algorithm, on every
// endpoint, with and without a kid.
func TestPrivateKeyJWTFromOAuth4WebAPI(t *testing.T) {
	t.Parallel()
	node, folder := npmFolder(t, "privatekeyjwt")
	dir := t.TempDir()
	if err := servertest.WriteKeyPairs(dir); err != nil {
		t.Fatal(err)
	}
	p := startDev(t, t.TempDir())
	for alg, pair := range map[string]string{"ES256": "ec", "Ed25519": "ed", "RS256": "rsa", "PS256": "rsa"} {
		t.Run(alg, func(t *testing.T) {
			made := p.createKeyClient("node-"+alg, filepath.Join(dir, pair+".pub"))
			kid := ""
			if pair == "rsa" {
				kid = made.kid(t)
			}
			cmd := exec.Command(node, "client.mjs", p.demo.Issuer, made.ID, filepath.Join(dir, pair+".key"), kid, alg, p.demo.Username, p.demo.Password)
			cmd.Dir = folder
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s\n%s", err, out, p.stderr)
			}
			steps := map[string]map[string]any{}
			for line := range strings.Lines(string(out)) {
				var step map[string]any
				if err := json.Unmarshal([]byte(line), &step); err != nil {
					t.Fatalf("%v in %s", err, out)
				}
				steps[fmt.Sprint(step["step"])] = step
			}
			for step, want := range map[string][2]string{"client_credentials": {"scope", "orders:read"}, "password": {"token_type", "bearer"},
				"refresh_token": {"token_type", "bearer"}, "introspection": {"active", "true"}, "revocation": {"active", "false"}} {
				if got := fmt.Sprint(steps[step][want[0]]); got != want[1] {
					t.Errorf("%s: got %s %q, want %q\n%s", step, want[0], got, want[1], out)
				}
			}
		})
	}
}

// keySource is how an app in Go signs in with its key: an assertion for each token, by golang-jwt, and
// the request by golang.org/x/oauth2.
type keySource struct {
	ctx    context.Context
	issuer string
	client string
	key    any
}

func (s keySource) Token() (*oauth2.Token, error) {
	now := time.Now()
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": s.client, "sub": s.client, "aud": s.issuer,
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "jti": rand.Text()}).SignedString(s.key)
	if err != nil {
		return nil, err
	}
	cfg := clientcredentials.Config{ClientID: s.client, TokenURL: s.issuer + "/token", AuthStyle: oauth2.AuthStyleInParams,
		EndpointParams: url.Values{"client_assertion": {assertion}, "client_assertion_type": {assertionType}}}
	return cfg.Token(s.ctx)
}

// startWithGoApp starts a server with the client go-app, whose key is "ec" of the pairs.
func startWithGoApp(t *testing.T) (*process, map[string]crypto.Signer) {
	t.Helper()
	dir := t.TempDir()
	if err := servertest.WriteKeyPairs(dir); err != nil {
		t.Fatal(err)
	}
	all, err := servertest.KeyPairs()
	if err != nil {
		t.Fatal(err)
	}
	p := startDev(t, t.TempDir())
	p.createKeyClient("go-app", filepath.Join(dir, "ec.pub"))
	return p, all
}

func TestPrivateKeyJWTFromGo(t *testing.T) {
	t.Parallel()
	p, all := startWithGoApp(t)
	source := keySource{t.Context(), p.demo.Issuer, "go-app", all["ec"]}
	for range 2 {
		if _, err := source.Token(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := (keySource{t.Context(), p.demo.Issuer, "go-app", all["next"]}).Token(); err == nil {
		t.Error("the key of somebody else was taken")
	}
	waitFor(t, "the reason in the log", func() bool { return strings.Contains(p.stderr.String(), "its signature is not by the key") })
}

// What golang-jwt makes of RegisteredClaims has aud in an array, here with one entry. With an hour to live and an
// iat it is what other libraries send.
func TestPrivateKeyJWTAudienceOfGolangJWT(t *testing.T) {
	t.Parallel()
	p, all := startWithGoApp(t)
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.RegisteredClaims{Issuer: "go-app", Subject: "go-app", Audience: jwt.ClaimStrings{p.demo.Issuer},
		IssuedAt: jwt.NewNumericDate(time.Now()), ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Hour)), ID: rand.Text()}).SignedString(all["ec"])
	if err != nil {
		t.Fatal(err)
	}
	status, body := post(t, p.demo.Issuer+"/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}})
	if status != http.StatusOK {
		t.Errorf("got %d %v", status, body)
	}
	status, body = post(t, p.demo.Issuer+"/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}})
	if status != http.StatusUnauthorized || body["error"] != "invalid_client" {
		t.Errorf("a second time: got %d %v", status, body)
	}
	if strings.Contains(p.stderr.String(), assertion) {
		t.Error("the log holds the assertion")
	}
}

// A client's keys move with everything else, and an assertion that was used stays used.
func TestClientKeysMove(t *testing.T) {
	t.Parallel()
	pairsDir := t.TempDir()
	if err := servertest.WriteKeyPairs(pairsDir); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(pairsDir, name) }
	dir, from := install(t, "")
	p, address := startServe(t, from)
	signet(t, "", "client", "create", "--config", from, "--id", "robot", "--grant", "client_credentials", "--jwks", in("ec.pub"))
	present := func(what, assertion string, want int) {
		t.Helper()
		status, body := post(t, "http://"+address+"/token", url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {assertionType}, "client_assertion": {assertion}})
		if status != want {
			t.Errorf("%s: got %d %v, want %d", what, status, body, want)
		}
	}
	fresh := func() string {
		return strings.TrimSpace(signet(t, "", "token", "assertion", "--client", "robot", "--issuer", "https://auth.example.com", "--key", in("ec.key")))
	}
	used := fresh()
	present("the first time", used, http.StatusOK)
	shown := signet(t, "", "client", "show", "robot", "--config", from, "-o", "json")
	signet(t, "", "backup", "--config", from, in("backup.db"))
	p.stop()
	signet(t, "", "export", "--config", from, in("all.ndjson"))
	for _, step := range [][]string{{"import", in("all.ndjson")}, {"restore", in("backup.db")}} {
		to := copyInstall(t, dir, "signet.yaml", "master.key")
		signet(t, "", step[0], "--config", to, step[1])
		p, address = startServe(t, to)
		present("a new one after "+step[0], fresh(), http.StatusOK)
		present("the used one after "+step[0], used, http.StatusUnauthorized)
		if again := signet(t, "", "client", "show", "robot", "--config", to, "-o", "json"); again != shown || !strings.Contains(again, `"jwks"`) {
			t.Errorf("after %s: got %s, want %s", step[0], again, shown)
		}
		p.stop()
	}
}
