package servertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// AppKey is the key pair of an app, and how it is used with golang-jwt and go-jose.
type AppKey struct {
	T       testing.TB
	Method  jwt.SigningMethod
	Private crypto.Signer
}

// NewAppKey returns a new key pair for the algorithm. All for RSA are the same one.
func NewAppKey(t testing.TB, alg string) AppKey {
	t.Helper()
	k := AppKey{T: t, Method: jwt.GetSigningMethod(alg)}
	var err error
	switch alg {
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.Private, err = rsaPair()
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// rsaPair is one for all tests: it takes a while to find.
var rsaPair = sync.OnceValues(func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// JWK is the public half, with more members after it.
func (k AppKey) JWK(more string) string {
	k.T.Helper()
	data, err := jose.JSONWebKey{Key: k.Private.Public()}.MarshalJSON()
	if err != nil {
		k.T.Fatal(err)
	}
	if more == "" {
		return string(data)
	}
	return strings.TrimSuffix(string(data), "}") + "," + more + "}"
}

// Member returns a member of the public half.
func (k AppKey) Member(name string) string {
	k.T.Helper()
	var members map[string]string
	if err := json.Unmarshal([]byte(k.JWK("")), &members); err != nil {
		k.T.Fatal(err)
	}
	return members[name]
}

// JWKS is a JWK Set.
func JWKS(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// Draft is a client assertion before it is signed.
type Draft struct {
	Key    AppKey
	Header map[string]any
	Claims jwt.MapClaims
}

// Draft is a good one for the token endpoint of s.
func (k AppKey) Draft(s *Server, id string) *Draft {
	now := s.Clock.Now()
	return &Draft{Key: k, Header: map[string]any{"typ": "JWT"}, Claims: jwt.MapClaims{"iss": id, "sub": id, "aud": s.URL,
		"exp": now.Add(time.Minute).Unix(), "iat": now.Unix(), "jti": rand.Text()}}
}

// Sign returns the assertion.
func (d *Draft) Sign() string {
	d.Key.T.Helper()
	token := jwt.NewWithClaims(d.Key.Method, d.Claims)
	d.Header["alg"] = d.Key.Method.Alg()
	token.Header = d.Header
	text, err := token.SignedString(d.Key.Private)
	if err != nil {
		d.Key.T.Fatal(err)
	}
	return text
}

// SignRaw signs a header and claims that are not JSON, or no good JSON.
func (k AppKey) SignRaw(t testing.TB, header, claims string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(claims))
	signature, err := k.Method.Sign(input, k.Private)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(signature)
}

// JWTBearer is the client_assertion_type (RFC 7523 §2.2).
const JWTBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// WithAssertion is a request for a token of the client's own.
func (s *Server) WithAssertion(t testing.TB, assertion string, more ...string) *Request {
	params := []string{"grant_type=client_credentials", "client_assertion_type=" + JWTBearer, "client_assertion=" + assertion}
	return s.Form(t, "/token", append(params, more...)...)
}

// Asserted is WithAssertion with a good one of the client.
func (s *Server) Asserted(t testing.TB, key AppKey, id string) *Request {
	return s.WithAssertion(t, key.Draft(s, id).Sign())
}
