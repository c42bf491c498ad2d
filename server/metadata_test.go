package server_test

import (
	"fmt"
	"testing"

	"signet/server/servertest"
)

// RFC 8414 §2: where private_key_jwt is among the methods, the algorithms must be named, without none.
func TestMetadataOfClientAuthentication(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	a := s.Call(t, "GET", "/.well-known/oauth-authorization-server").Wants(200, "")
	const confidential = "client_secret_basic client_secret_post private_key_jwt"
	for endpoint, methods := range map[string]string{"token": confidential + " none", "revocation": confidential + " none", "introspection": confidential} {
		if got := fmt.Sprint(a.JSON[endpoint+"_endpoint_auth_methods_supported"]); got != "["+methods+"]" {
			t.Errorf("methods of %s: got %s, want [%s]", endpoint, got, methods)
		}
		if got := fmt.Sprint(a.JSON[endpoint+"_endpoint_auth_signing_alg_values_supported"]); got != "[ES256 RS256 PS256 EdDSA Ed25519]" {
			t.Errorf("algorithms of %s: got %s", endpoint, got)
		}
	}
}
