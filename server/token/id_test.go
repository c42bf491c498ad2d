package token

import "testing"

// The first is the example of OpenID Connect Core appendix A.4. Ed25519 uses SHA-512, of which half are 43 digits.
func TestAccessHash(t *testing.T) {
	const access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	const want = "77QmUPtjPfzWtF2AnpK9RQ"
	for _, alg := range []string{"RS256", "ES256", "PS256"} {
		if got := accessHash(alg, access); got != want {
			t.Errorf("%s: got %s, want %s", alg, got, want)
		}
	}
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		if got := accessHash(alg, access); len(got) != 43 {
			t.Errorf("%s: got %s", alg, got)
		}
	}
}
