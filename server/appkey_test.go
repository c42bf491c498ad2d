package server_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"signet/server/servertest"
	"signet/store"
)

// appKey is the key pair of an app, and how it is used with golang-jwt and go-jose.
type appKey struct {
	t       testing.TB
	method  jwt.SigningMethod
	private crypto.Signer
}

func newAppKey(t testing.TB, alg string) appKey {
	t.Helper()
	k := appKey{t: t, method: jwt.GetSigningMethod(alg)}
	var err error
	switch alg {
	case "ES256":
		k.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.private, err = rsaPair()
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaPair is one for all tests: it takes a while to find.
var rsaPair = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// jwk is the public half, with more members after it.
func (k appKey) jwk(more string) string {
	k.t.Helper()
	data, err := jose.JSONWebKey{Key: k.private.Public()}.MarshalJSON()
	if err != nil {
		k.t.Fatal(err)
	}
	if more == "" {
		return string(data)
	}
	return strings.TrimSuffix(string(data), "}") + "," + more + "}"
}

func (k appKey) member(name string) string {
	k.t.Helper()
	var members map[string]string
	if err := json.Unmarshal([]byte(k.jwk("")), &members); err != nil {
		k.t.Fatal(err)
	}
	return members[name]
}

func jwks(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// draft is an assertion before it is signed.
type draft struct {
	key    appKey
	header map[string]any
	claims jwt.MapClaims
}

// draft is one that is good.
func (k appKey) draft(s *servertest.Server, id string) *draft {
	now := s.Clock.Now()
	return &draft{key: k, header: map[string]any{"typ": "JWT"}, claims: jwt.MapClaims{"iss": id, "sub": id, "aud": s.URL,
		"exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": rand.Text()}}
}

func (d *draft) sign() string {
	d.key.t.Helper()
	token := jwt.NewWithClaims(d.key.method, d.claims)
	d.header["alg"] = d.key.method.Alg()
	token.Header = d.header
	text, err := token.SignedString(d.key.private)
	if err != nil {
		d.key.t.Fatal(err)
	}
	return text
}

// signRaw signs a header and claims that are not JSON, or no good JSON.
func (k appKey) signRaw(t testing.TB, header, claims string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	signature, err := k.method.Sign(input, k.private)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(signature)
}

const jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// withAssertion is a request for a token of the client's own.
func withAssertion(t testing.TB, s *servertest.Server, assertion string, more ...string) *request {
	return form(t, s, "/token", append([]string{"grant_type=client_credentials", "client_assertion_type=" + jwtBearer, "client_assertion=" + assertion}, more...)...)
}

func asserted(t testing.TB, s *servertest.Server, key appKey, id string) *request {
	return withAssertion(t, s, key.draft(s, id).sign())
}

const robot = "robot"

// addRobot registers a client that has these keys and no secret.
func addRobot(t testing.TB, s *servertest.Server, keys ...string) {
	t.Helper()
	now := s.Clock.Now()
	client := store.Client{ID: robot, AuthMethods: []string{"private_key_jwt"}, JWKS: json.RawMessage(jwks(keys...)), Introspect: true,
		Grants: []string{"client_credentials", "password", "refresh_token"}, Scopes: servertest.Scopes, CreatedAt: now, UpdatedAt: now}
	if err := s.Store.CreateClient(t.Context(), client); err != nil {
		t.Fatal(err)
	}
}

// lastCause is why, as the log has it, the last request was refused.
func lastCause(t testing.TB, s *servertest.Server) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(s.Log.String()), "\n")
	for _, line := range slices.Backward(lines) {
		var entry struct {
			Msg, Cause string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Msg == "token" {
			return entry.Cause
		}
	}
	return ""
}

// serve has the request answered inside the process, without a network, and returns the status.
func (r *request) serve() int {
	req := httptest.NewRequest(r.method, r.path, strings.NewReader(r.body))
	req.Header = r.header
	w := httptest.NewRecorder()
	r.s.ServeHTTP(w, req)
	return w.Code
}
