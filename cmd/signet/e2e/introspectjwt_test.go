package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
)

// signedAnswer is what the script in testdata/introspect prints of one.
type signedAnswer struct {
	Answer        map[string]any `json:"answer"`
	JWT           string         `json:"jwt"`
	AsAccessToken string         `json:"asAccessToken"`
}

// signedAnswers has oauth4webapi ask about the tokens and check all that it is told.
func signedAnswers(t *testing.T, d demo, audience string, tokens ...string) (answers []signedAnswer) {
	t.Helper()
	node, folder := npmFolder(t, "introspect")
	cmd := exec.Command(node, append([]string{"introspect.mjs", d.Issuer, d.ClientID, d.ClientSecret, audience}, tokens...)...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr, cmd.Env = folder, &stderr, append(os.Environ(), "NO_PROXY=127.0.0.1")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oauth4webapi: %v\n%s", err, &stderr)
	}
	for line := range strings.Lines(string(out)) {
		var a signedAnswer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("the script printed %q: %v", line, err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(tokens) {
		t.Fatalf("got %d answers about %d tokens", len(answers), len(tokens))
	}
	return answers
}

// Libraries that know RFC 9701 take the answers, and those that verify access tokens take none for a
// token, though the service's own name is the id that it asks under.
func TestSignedAnswersInRealLibraries(t *testing.T) {
	t.Parallel()
	p := startDev(t, t.TempDir())
	d := p.demo
	_, login := post(t, d.Issuer+"/token", d.login())
	live, _ := login["access_token"].(string)
	answers := signedAnswers(t, d, d.ClientID, live, "no token at all")
	if a := answers[0].Answer; a["active"] != true || a["username"] != d.Username || a["aud"] != d.Issuer {
		t.Errorf("a live token: got %v", a)
	}
	if a := answers[1].Answer; a["active"] != false || len(a) != 1 {
		t.Errorf("no token: got %v, want active false alone", a)
	}
	if got := answers[0].AsAccessToken; !strings.Contains(got, `"typ"`) {
		t.Errorf("oauth4webapi, asked for an access token: got %q, want a complaint about typ", got)
	}

	set, err := fetchKeySet(d.Issuer + "/.well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.MapClaims
	token, err := jwt.ParseWithClaims(answers[0].JWT, &claims, keyFor(set), jwt.WithIssuer(d.Issuer), jwt.WithAudience(d.ClientID), jwt.WithValidMethods([]string{"ES256"}))
	if err != nil || token.Header["typ"] != "token-introspection+jwt" {
		t.Errorf("golang-jwt: got %v, header %v", err, token.Header)
	}
	if _, err := jwt.Parse(answers[0].JWT, keyFor(set), jwt.WithExpirationRequired()); err == nil {
		t.Error("golang-jwt, asked to require exp, takes the answer for a token")
	}

	// go-oidc does not look at typ.
	provider, err := oidc.NewProvider(t.Context(), d.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: d.Issuer}).Verify(t.Context(), live); err != nil {
		t.Errorf("go-oidc and an access token: %v", err)
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: d.ClientID}).Verify(t.Context(), answers[0].JWT); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("go-oidc and a signed answer: got %v, want one that has run out, since it has no exp", err)
	}
}
