package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// drillService is a service that verifies its callers.
func drillService(t *testing.T, verify func(token string) error) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if err := verify(token); err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// drillOf runs a drill and returns its report and what it exits with.
func (p *process) drillOf(args ...string) (r drillReport, code int) {
	p.t.Helper()
	secret := filepath.Join(p.t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(p.demo.ClientSecret+"\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	stdout, stderr, code := runSignet(p.t, "", append([]string{"drill", "--socket", p.demo.AdminSocket, "--client", p.demo.ClientID,
		"--client-secret-file", secret, "--every", "200ms", "--yes", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		p.t.Fatalf("drill printed %q and %q: %v", stdout, stderr, err)
	}
	return r, code
}

// TestDrill: a service that keeps the key set for no longer than J notices nothing; one that fetches
// it once is found when a key signs that was not there then.
func TestDrill(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "", "SIGNET_KEYS_PRESET=fast")
	keySet := p.demo.Issuer + "/.well-known/jwks.json"
	front := httptest.NewServer(&frontCache{cache: time.Second, origins: func() []string { return []string{keySet} }})
	defer front.Close()
	good := drillService(t, strictVerifier(front.URL, p.demo.Issuer, p.demo.Issuer, time.Second))
	bad := drillService(t, strictVerifier(front.URL, p.demo.Issuer, p.demo.Issuer, time.Hour))

	r, code := p.drillOf("--jwks", front.URL, "--verifier", good)
	if code != exitDone || !r.OK || len(r.Failures) != 0 || len(r.Rotations) != 1 {
		t.Fatalf("a good service: exit %d, %+v", code, r)
	}
	if one := r.Rotations[0]; one.OldKey == one.NewKey || one.SignedAt.Before(one.ActivatesAt) || one.VisibleFor <= 0 || r.Rounds < 10 {
		t.Errorf("a good service: got %+v in %d rounds", one, r.Rounds)
	}

	r, code = p.drillOf("--verifier", bad, "--rotations", "2")
	if code != exitFailed || r.OK || len(r.Failures) != 1 {
		t.Fatalf("a service that never fetches again: exit %d, %+v", code, r)
	}
	if f := r.Failures[0]; f.Check != "token at verifier" || !strings.Contains(f.Detail, "401") || f.Times < 2 || f.At.Before(r.Rotations[len(r.Rotations)-1].ActivatesAt) {
		t.Errorf("a service that never fetches again: got %+v", f)
	}
	if len(r.CacheControl) == 0 || !strings.HasPrefix(r.CacheControl[0], "public, max-age=") {
		t.Errorf("headers: got %q", r.CacheControl)
	}
}

// TestDrillBeginsWithARound: where the service refuses tokens already nothing is rotated.
func TestDrillBeginsWithARound(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "")
	before := p.admin("", "keys", "list", "-o", "json")
	refuses := drillService(t, func(string) error { return http.ErrNotSupported })
	r, code := p.drillOf("--verifier", refuses)
	if code != exitFailed || r.Rounds != 1 || len(r.Rotations) != 0 || !strings.HasPrefix(r.Verdict, "nothing was rotated") {
		t.Errorf("exit %d, %+v", code, r)
	}
	if after := p.admin("", "keys", "list", "-o", "json"); versionOf(t, after) != versionOf(t, before) {
		t.Errorf("the keyring changed:\n%s\n%s", before, after)
	}

	// Without a client only the key set is watched, and --for bounds that.
	stdout, stderr, code := runSignet(t, "", "drill", "--socket", p.demo.AdminSocket, "--yes", "--every", "100ms", "--for", "1s")
	if code != exitFailed || !strings.Contains(stdout, "the new key did not sign by then") || !strings.Contains(stdout, "cut short") || strings.Contains(stdout, "somebody noticed") || !strings.Contains(stderr, "rotating: key ") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func versionOf(t *testing.T, keyList string) uint64 {
	t.Helper()
	var k keyring
	if err := json.Unmarshal([]byte(keyList), &k); err != nil {
		t.Fatal(err)
	}
	return k.Version
}
