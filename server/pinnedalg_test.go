package server_test

import (
	"fmt"
	"strings"
	"testing"

	"signet/keys/jose"
	"signet/server/servertest"
	"signet/store"
)

// TestPinnedToAnAlgorithmThatIsGone: such a client gets a clear error before anything is consumed, never
// another algorithm; the rest of it can be changed, with a warning; with another algorithm it goes on.
func TestPinnedToAnAlgorithmThatIsGone(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	secret := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"billing","grants":["client_credentials"],"alg":"RS256"}`).Wants(201, "").Str("client_secret")
	s.ClientToken(t, "billing", secret).Wants(200, "")
	s.SetClient(t, "billing", func(c *store.Client) { c.Alg = jose.PS256 })
	for range 2 {
		answer := s.ClientToken(t, "billing", secret).Wants(400, "unauthorized_client")
		if !strings.Contains(answer.Raw, "PS256") {
			t.Errorf("got %s, want the algorithm named", answer.Raw)
		}
	}
	changed := admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"scopes":["jobs"]}`).Wants(200, "")
	if warnings := fmt.Sprint(changed.JSON["warnings"]); !strings.Contains(warnings, "no key signs with PS256") {
		t.Errorf("warnings: %s", warnings)
	}
	admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"alg":"EdDSA"}`).Wants(400, "invalid")
	admin.CallJSON(t, "PATCH", "/v1/clients/billing", `{"alg":"ES256"}`).Wants(200, "")
	s.ClientToken(t, "billing", secret).Wants(200, "")
}
