package server_test

import (
	"fmt"
	"strings"
	"testing"

	"signet/keys/jose"
	"signet/store"
)

// TestPinnedToAnAlgorithmThatIsGone: such a client gets a clear error before anything is consumed, never
// another algorithm; the rest of it can be changed, with a warning; with another algorithm it goes on.
func TestPinnedToAnAlgorithmThatIsGone(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	secret := adminCall(t, admin, "POST", "/v1/clients", `{"client_id":"billing","grants":["client_credentials"],"alg":"RS256"}`).wants(201, "").str("client_secret")
	clientToken(t, s, "billing", secret).wants(200, "")
	s.SetClient(t, "billing", func(c *store.Client) { c.Alg = jose.PS256 })
	for range 2 {
		answer := clientToken(t, s, "billing", secret).wants(400, "unauthorized_client")
		if !strings.Contains(answer.Raw, "PS256") {
			t.Errorf("got %s, want the algorithm named", answer.Raw)
		}
	}
	changed := adminCall(t, admin, "PATCH", "/v1/clients/billing", `{"scopes":["jobs"]}`).wants(200, "")
	if warnings := fmt.Sprint(changed.JSON["warnings"]); !strings.Contains(warnings, "no key signs with PS256") {
		t.Errorf("warnings: %s", warnings)
	}
	adminCall(t, admin, "PATCH", "/v1/clients/billing", `{"alg":"EdDSA"}`).wants(400, "invalid")
	adminCall(t, admin, "PATCH", "/v1/clients/billing", `{"alg":"ES256"}`).wants(200, "")
	clientToken(t, s, "billing", secret).wants(200, "")
}
