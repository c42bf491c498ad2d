package inspect

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signet/cmd/signet/internal/cli"
	"signet/keys/jose"
)

// testIssuer publishes one key of each kind.
type testIssuer struct {
	url  string
	keys map[string]crypto.Signer // by algorithm, which is also the kid
}

func newTestIssuer(t *testing.T) *testIssuer {
	t.Helper()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	is := &testIssuer{keys: map[string]crypto.Signer{"ES256": ec, "RS256": rsaKey, "EdDSA": ed}}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	set := KeySet{Keys: []jose.JWK{
		{Kid: "ES256", Alg: "ES256", Kty: "EC", Crv: "P-256", X: b64(point[1:33]), Y: b64(point[33:])},
		{Kid: "RS256", Alg: "RS256", Kty: "RSA", N: b64(rsaKey.N.Bytes()), E: b64(big.NewInt(int64(rsaKey.E)).Bytes())},
		{Kid: "EdDSA", Alg: "EdDSA", Kty: "OKP", Crv: "Ed25519", X: b64(ed.Public().(ed25519.PublicKey))},
	}}
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	is.url = srv.URL
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(set) })
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": is.url, "jwks_uri": is.url + "/jwks"})
	})
	return is
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (is *testIssuer) sign(t *testing.T, alg, kid string, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": is.url, "exp": time.Now().Add(time.Minute).Unix()}
	maps.Copy(claims, change)
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	token.Header["kid"] = kid
	s, err := token.SignedString(is.keys[alg])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signAnswer makes a signed answer of an introspection: it has no exp unless the test gives it one.
func (is *testIssuer) signAnswer(t *testing.T, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"iss": is.url, "aud": "orders", "iat": time.Now().Unix(),
		"token_introspection": map[string]any{"active": true, "sub": "usr_alice", "exp": 1_000_000_000}}
	maps.Copy(claims, change)
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"], token.Header["typ"] = "ES256", "token-introspection+jwt"
	s, err := token.SignedString(is.keys["ES256"])
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inspect runs the command.
func inspect(t *testing.T, app *cli.App, flags ...string) error {
	cmd := New(app)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(append([]string{"inspect"}, flags...))
	return cmd.ExecuteContext(t.Context())
}

// A signed answer shows what it is, what it is about, and whether it is genuine.
func TestInspectShowsASignedAnswer(t *testing.T) {
	is := newTestIssuer(t)
	var out, errs bytes.Buffer
	app := &cli.App{In: strings.NewReader(is.signAnswer(t, nil)), Out: &out, Err: &errs}
	if err := inspect(t, app, "--issuer", is.url); err != nil {
		t.Errorf("got %v: %s", err, errs.String())
	}
	for _, want := range []string{`(?m)^  aud +orders$`, `(?m)^ANSWER$`, `(?m)^  active +true$`, `(?m)^  sub +usr_alice$`,
		`(?m)^  exp +2001-09-09 01:46:40Z \(\d+d ago\)$`, `(?m)^this is +the signed answer of an introspection`, `(?m)^signature +valid`} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("want %s in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "expired") || strings.Contains(out.String(), "token_introspection") {
		t.Errorf("the token's time is taken for the answer's, or its claims are shown twice:\n%s", out.String())
	}
}

func TestVerifyToken(t *testing.T) {
	is := newTestIssuer(t)
	good := is.sign(t, "ES256", "ES256", nil)
	parts := strings.Split(good, ".")
	none := b64([]byte(`{"alg":"none","kid":"ES256"}`)) + "." + parts[1] + "."
	tests := []struct {
		name, token, issuer, want string
	}{
		{"ES256", good, is.url, ""},
		{"RS256", is.sign(t, "RS256", "RS256", nil), is.url, ""},
		{"EdDSA", is.sign(t, "EdDSA", "EdDSA", nil), is.url, ""},
		{"expired, only the key asked about", is.sign(t, "ES256", "ES256", jwt.MapClaims{"exp": 1}), "", ""},
		{"expired", is.sign(t, "ES256", "ES256", jwt.MapClaims{"exp": 1}), is.url, "has expired"},
		{"no exp", is.sign(t, "ES256", "ES256", jwt.MapClaims{"exp": nil}), is.url, "exp"},
		{"a signed answer, which has no exp", is.signAnswer(t, nil), is.url, ""},
		{"a signed answer that has run out", is.signAnswer(t, jwt.MapClaims{"exp": 1}), is.url, "has expired"},
		{"a signed answer of another issuer", is.signAnswer(t, jwt.MapClaims{"iss": "https://evil.example"}), is.url, "its iss is not"},
		{"other issuer", is.sign(t, "ES256", "ES256", jwt.MapClaims{"iss": "https://evil.example"}), is.url, "its iss is not"},
		{"unknown kid", is.sign(t, "ES256", "k2", nil), is.url, `no key with the kid "k2"`},
		{"no kid", is.sign(t, "ES256", "", nil), is.url, "no key with the kid"},
		{"the key of another algorithm", is.sign(t, "RS256", "ES256", nil), is.url, "the token has alg RS256 and its key has ES256"},
		{"changed", parts[0] + "." + b64([]byte(`{"iss":"`+is.url+`","exp":9999999999}`)) + "." + parts[2], is.url, "changed or forged"},
		{"alg none", none, is.url, "not accepted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			jwks := ""
			if tt.issuer == "" {
				jwks = is.url + "/jwks"
			}
			_, err := verifyToken(t.Context(), tt.token, tt.issuer, jwks)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// TestTokenWithByteOrderMark reads a token that an editor has saved.
func TestTokenWithByteOrderMark(t *testing.T) {
	app := &cli.App{In: strings.NewReader("\xef\xbb\xbfa.b.c\r\n")}
	if got, err := readToken(app, nil); got != "a.b.c" || err != nil {
		t.Errorf("got %q and error %v", got, err)
	}
}

// TestInspectExitsByTheVerdict: what is refused is shown all the same.
func TestInspectExitsByTheVerdict(t *testing.T) {
	is := newTestIssuer(t)
	for token, good := range map[string]bool{
		is.sign(t, "ES256", "ES256", nil):                        true,
		is.sign(t, "ES256", "ES256", jwt.MapClaims{"exp": 1000}): false,
	} {
		var out, errs bytes.Buffer
		app := &cli.App{In: strings.NewReader(token), Out: &out, Err: &errs}
		if err := inspect(t, app, "--issuer", is.url); (err == nil) != good {
			t.Errorf("got %v, want good: %v: %s", err, good, errs.String())
		}
		if !strings.Contains(out.String(), is.url) {
			t.Errorf("the claims are not shown: %s", out.String())
		}
	}
}

func TestVerifyAsksForTheIssuersOwnName(t *testing.T) {
	is := newTestIssuer(t)
	_, err := verifyToken(t.Context(), is.sign(t, "ES256", "ES256", nil), is.url+"/", "")
	if err == nil || !strings.Contains(err.Error(), "has the issuer") {
		t.Errorf("got %v", err)
	}
}

func FuzzDecodeToken(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2ln")
	f.Add("e30.e30.")
	f.Add("bnVsbA.W10.")
	f.Fuzz(func(t *testing.T, token string) {
		in, err := Decode(token)
		if err != nil {
			return
		}
		if !json.Valid(in.Header) || !json.Valid(in.Claims) {
			t.Errorf("accepted %q with parts that are not JSON", token)
		}
		var out bytes.Buffer
		in.write(&out, time.Now())
		if strings.ContainsAny(out.String(), "\x1b\r") {
			t.Errorf("control characters of %q reach the terminal", token)
		}
	})
}
