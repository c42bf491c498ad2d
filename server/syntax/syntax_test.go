package syntax_test

import (
	"strings"
	"testing"

	"signet/server/syntax"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{"web": true, "a-._~9": true, strings.Repeat("x", 128): true, "": false, strings.Repeat("x", 129): false, "a b": false, "ä": false, "a/b": false} {
		if got := syntax.ClientID(name); got != want {
			t.Errorf("client id %q: got %v", name, got)
		}
	}
	for scope, want := range map[string]bool{"a": true, "a b": true, "": false, "a  b": false, " a": false, "a\tb": false, `a"`: false, `a\`: false, "ä": false, "a,b": true} {
		if got := syntax.Scope(scope); got != want {
			t.Errorf("scope %q: got %v", scope, got)
		}
	}
	for name, want := range map[string]bool{"billing": true, "https://api.example.com/x?y": true, "urn:x": true, "": false, "a b": false, "/x": false, "a?b": false, "https://": false, "https:x": false,
		"urn:x#y": false, "x#y": false, strings.Repeat("x", 500): true, strings.Repeat("x", 501): false} {
		if got := syntax.CheckAudience(name) == ""; got != want {
			t.Errorf("audience %q: got %v", name, got)
		}
	}
	for name, want := range map[string]bool{"roles": true, "": false, strings.Repeat("ä", 64): true, strings.Repeat("ä", 65): false, "a\x00": false, "scope": false, "SCOPE": false, "\u017fub": false, "preferred_username": false} {
		if got := syntax.CheckClaim(name) == ""; got != want {
			t.Errorf("claim %q: got %v", name, got)
		}
	}
	if syntax.CheckClientClaim("preferred_username") != "" || syntax.CheckClientClaim("sub") == "" {
		t.Error("a client gets preferred_username, and no other reserved claim")
	}
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.9.9.9": true, "::1": true, "app.localhost": false, "": false, "10.0.0.1": false, "localhost.example.com": false} {
		if got := syntax.Loopback(host); got != want {
			t.Errorf("host %q: got %v", host, got)
		}
	}
}
