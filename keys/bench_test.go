package keys

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/masterkey"
)

// benchClaims are those of an RFC 9068 access token.
type benchClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	ID       string `json:"jti"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Session  string `json:"sid"`
}

var claimsOfBench = benchClaims{
	"https://id.example.com", "usr_q2bd6nq3bu6u3k5jlm7b3yd5ue", "https://api.example.com", 1900000300, 1900000000,
	"0b8wMCh2cVcVfXHcRVUjFw", "mobile", "read write", "3kM9bWZsR1yQm0y0kq0Y9w",
}

func (benchClaims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (benchClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (benchClaims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (benchClaims) GetIssuer() (string, error)                   { return "", nil }
func (benchClaims) GetSubject() (string, error)                  { return "", nil }
func (benchClaims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// BenchmarkSign compares Sign with golang-jwt alone. The two take turns within one run, so that
// what else the machine does hits both; x/bare is the ratio of their times.
func BenchmarkSign(b *testing.B) {
	for _, alg := range []string{jose.ES256, jose.EdDSA, jose.RS256} {
		b.Run(alg, func(b *testing.B) {
			m := benchManager(b, alg)
			key := m.held.load().keySet.Signers[0]
			signer := signerOf(b, key.Private)
			var ours, bare time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				if _, _, err := m.Sign(b.Context(), alg, "at+jwt", &claimsOfBench); err != nil {
					b.Fatal(err)
				}
				between := time.Now()
				token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), &claimsOfBench)
				token.Header["kid"], token.Header["typ"] = key.KID, "at+jwt"
				if _, err := token.SignedString(signer); err != nil {
					b.Fatal(err)
				}
				ours, bare = ours+between.Sub(began), bare+time.Since(between)
			}
			b.ReportMetric(float64(ours)/float64(bare), "x/bare")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/sign")
		})
	}
}

// Sign must not allocate more than golang-jwt alone does for the same token.
func TestSignAllocates(t *testing.T) {
	m := mustOpen(t, testConfig(&keystest.Storage{}, newClock()))
	key := m.held.load().keySet.Signers[0]
	signer := signerOf(t, key.Private)
	ours := testing.AllocsPerRun(100, func() { _, _, _ = m.Sign(t.Context(), "", "at+jwt", &claimsOfBench) })
	bare := testing.AllocsPerRun(100, func() {
		token := jwt.NewWithClaims(jwt.SigningMethodES256, &claimsOfBench)
		token.Header["kid"], token.Header["typ"] = key.KID, "at+jwt"
		_, _ = token.SignedString(signer)
	})
	if ours >= bare {
		t.Errorf("%v allocations, golang-jwt alone needs %v", ours, bare)
	}
}

// BenchmarkSignAlone is for the allocations of Sign by itself.
func BenchmarkSignAlone(b *testing.B) {
	m := benchManager(b, jose.ES256)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := m.Sign(b.Context(), "", "at+jwt", &claimsOfBench); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	m := benchManager(b, jose.ES256)
	token, _, err := m.Sign(b.Context(), "", "at+jwt", &claimsOfBench)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var claims benchClaims
		if _, err := m.Verify(token, "at+jwt", &claims); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkJWKS(b *testing.B) {
	m := benchManager(b, jose.ES256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.JWKS(); err != nil {
			b.Fatal(err)
		}
	}
}

func benchManager(b *testing.B, alg string) *Manager {
	return mustOpen(b, Config{Storage: &keystest.Storage{}, InstallID: "bench", Master: []masterkey.Key{testMaster(1)}, Algorithms: []string{alg}})
}
