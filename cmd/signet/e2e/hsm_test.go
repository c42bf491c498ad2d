//go:build pkcs11 && cgo

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const hsmPIN = "73515537"

// softHSM makes a token called signet and a file with its PIN. The tokens are in a directory, which
// can be moved away.
func softHSM(t *testing.T) (module, pinFile, tokens string) {
	t.Helper()
	module = "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(module); err != nil {
		needs(t, "SoftHSM", "apt-get install softhsm2")
	}
	dir := t.TempDir()
	tokens, pinFile = filepath.Join(dir, "tokens"), filepath.Join(dir, "pin")
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, pinFile, hsmPIN+"\n")
	write(t, filepath.Join(dir, "softhsm2.conf"), "directories.tokendir = "+tokens+"\nlog.level = ERROR\n")
	t.Setenv("SOFTHSM2_CONF", filepath.Join(dir, "softhsm2.conf"))
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", "signet", "--pin", hsmPIN, "--so-pin", "1234567").CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v\n%s", err, out)
	}
	return module, pinFile, tokens
}

// hsmApp is an app of a running install, with a user who has logged in.
type hsmApp struct {
	t       *testing.T
	address string
	client  url.Values
	user    url.Values
	refresh string
}

func newHSMApp(t *testing.T, configFile, address string) *hsmApp {
	t.Helper()
	out, stderr, code := runSignet(t, "", "client", "create", "--config", configFile, "--id", "web", "--public", "--grant", "password,refresh_token", "-o", "json")
	if code != 0 {
		t.Fatalf("client create: %s%s", out, stderr)
	}
	if _, stderr, code := runSignet(t, "violet tractor under seven moons\n", "user", "create", "--config", configFile, "--username", "ada", "--password-stdin"); code != 0 {
		t.Fatalf("user create: %s", stderr)
	}
	return &hsmApp{t: t, address: address,
		client: url.Values{"client_id": {"web"}, "grant_type": {"refresh_token"}},
		user:   url.Values{"client_id": {"web"}, "grant_type": {"password"}, "username": {"ada"}, "password": {"violet tractor under seven moons"}}}
}

// wants sends a token request, a refresh unless form is another, and returns the kid of what it gets.
func (a *hsmApp) wants(what string, form url.Values, status int) (kid string) {
	a.t.Helper()
	if form == nil {
		form = a.client
		form.Set("refresh_token", a.refresh)
	}
	res, err := http.PostForm("http://"+a.address+"/token", form)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil || res.StatusCode != status {
		a.t.Fatalf("%s: got %d %s, %v, want %d", what, res.StatusCode, tokens.Error, err, status)
	}
	if status == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		a.t.Errorf("%s: 503 without Retry-After", what)
	}
	if status != http.StatusOK {
		return ""
	}
	a.refresh = tokens.Refresh
	return a.verify(tokens.Access)
}

// verify checks the token with the key set, as a service does.
func (a *hsmApp) verify(token string) (kid string) {
	a.t.Helper()
	parsed, err := jwt.Parse(token, func(token *jwt.Token) (any, error) {
		kid, _ = token.Header["kid"].(string)
		status, body := a.get("/.well-known/jwks.json")
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(body), &set); err != nil || len(set.Key(kid)) != 1 {
			return nil, fmt.Errorf("key set: %d, no key %s: %v", status, kid, err)
		}
		return set.Key(kid)[0].Key, nil
	}, jwt.WithIssuer("https://auth.example.com"), jwt.WithExpirationRequired())
	if err != nil || !parsed.Valid {
		a.t.Errorf("the token does not verify: %v", err)
	}
	return kid
}

func (a *hsmApp) get(path string) (int, string) {
	a.t.Helper()
	res, err := http.Get("http://" + a.address + path)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}

// heldKeys maps kid to where the key is held.
func heldKeys(t *testing.T, configFile string) map[string]string {
	t.Helper()
	out, stderr, code := runSignet(t, "", "keys", "list", "--config", configFile, "-o", "json")
	var list keyring
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("keys list: %v %s", err, stderr)
	}
	held := map[string]string{}
	for _, k := range list.Keys {
		held[k.ID] = k.Held
	}
	return held
}

// An install whose keys never were anywhere else: it starts again, and when its token is away nobody
// loses a session, not even without a grace window.
func TestInstallInHSM(t *testing.T) {
	module, pinFile, tokens := softHSM(t)
	t.Setenv("SIGNET_KEYS_POLL", "200ms")
	t.Setenv("SIGNET_REFRESH_GRACE", "0s")
	dir := filepath.Join(t.TempDir(), "x")
	if _, stderr, code := runSignet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0",
		"--hsm-module", module, "--hsm-token", "signet", "--hsm-pin-file", pinFile); code != 0 {
		t.Fatalf("init: %s", stderr)
	}
	configFile := filepath.Join(dir, "signet.yaml")
	appendTo(t, configFile, "\nshutdown: {delay: 0s}\nlog: {format: text}\n")
	p, address := startServe(t, configFile)
	app := newHSMApp(t, configFile, address)
	kid := app.wants("login", app.user, http.StatusOK)
	if held := heldKeys(t, configFile); len(held) != 2 || held[kid] != "hsm" {
		t.Errorf("keys list: got %v, want two, and %s in hsm", held, kid)
	}
	if code := p.stop(); code != 0 {
		t.Errorf("SIGTERM: exited with %d\n%s", code, p.stderr)
	}
	if out, stderr, code := runSignet(t, "", "doctor", "--config", configFile); code != 0 || !strings.Contains(out, "2 signing keys are in it and those that sign do so; 0 are local") {
		t.Errorf("doctor: got %d\n%s%s", code, out, stderr)
	}

	p, app.address = startServe(t, configFile)
	if got := app.wants("refresh after a restart", nil, http.StatusOK); got != kid {
		t.Errorf("after a restart key %s signs, want %s", got, kid)
	}
	if err := os.Rename(tokens, tokens+".away"); err != nil {
		t.Fatal(err)
	}
	app.wants("refresh without the token", nil, http.StatusServiceUnavailable)
	app.wants("login without the token", app.user, http.StatusServiceUnavailable)
	if status, _ := app.get("/.well-known/jwks.json"); status != http.StatusOK {
		t.Errorf("the key set without the token: got %d", status)
	}
	ready := func() (int, string) { return app.get("/readyz") }
	waitFor(t, "readyz to say that nothing can be signed", func() bool {
		status, body := ready()
		return status == http.StatusServiceUnavailable && strings.Contains(body, `"signing":false`)
	})
	if err := os.Rename(tokens+".away", tokens); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "readiness", func() bool { status, _ := ready(); return status == http.StatusOK })
	app.wants("the same refresh token, once the token is back", nil, http.StatusOK)
	if strings.Contains(p.stderr.String(), hsmPIN) {
		t.Error("the log has the PIN")
	}

	p.stop()
	write(t, pinFile, "11111111\n")
	if _, stderr, code := runSignet(t, "", "serve", "--config", configFile); code != 1 || !strings.Contains(stderr, "refuses the PIN") || strings.Contains(stderr, "11111111") {
		t.Errorf("serve with a wrong PIN: got %d %s", code, stderr)
	}
}

// A local install gets an HSM: its next key but one is made there, and all the time every token
// verifies with the key set of its moment.
func TestInstallMovesToHSM(t *testing.T) {
	module, _, _ := softHSM(t)
	for name, value := range map[string]string{"PUBLISH": "2s", "ACTIVE": "2s", "RETAIN": "4s", "CACHE": "0s", "CDN": "0s", "SKEW": "0s", "MAX_TOKEN_LIFE": "2s",
		"LEEWAY": "0s", "SIGN_STALE": "1s", "SERVE_STALE": "1500ms", "POLL": "100ms"} {
		t.Setenv("SIGNET_KEYS_"+name, value)
	}
	t.Setenv("SIGNET_ACCESS_TOKEN_TTL", "2s")
	_, configFile := install(t, "")
	t.Setenv("SIGNET_HSM_PIN", hsmPIN)
	appendTo(t, configFile, "\nkeys: {hsm: {module: "+module+", token: signet}}\n")
	_, address := startServe(t, configFile)
	app := newHSMApp(t, configFile, address)
	first := app.wants("login", app.user, http.StatusOK)
	if held := heldKeys(t, configFile); held[first] != "local" {
		t.Errorf("the first key is held by %q, want local", held[first])
	}
	signed := map[string]bool{}
	held := map[string]string{}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		kid := app.wants("refresh", nil, http.StatusOK)
		if !signed[kid] {
			signed[kid], held = true, heldKeys(t, configFile)
		}
		if held[kid] == "hsm" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute %s signs, of %v", kid, held)
		}
	}
	if len(signed) != 3 {
		t.Errorf("%d keys signed, want two local ones and the first in the HSM", len(signed))
	}
}
