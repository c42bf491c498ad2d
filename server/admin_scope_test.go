package server_test

import (
	"regexp"
	"strings"
	"testing"

	"signet/server"
	"signet/store"
)

var adminScopes = []string{"signet:admin", "signet:users", "signet:clients", "signet:keys", "signet:audit", "signet:backup", "signet:metrics"}

// TestAdminScopes asks for every verb with every scope. What is asked for does not exist or is malformed, so that
// nothing happens where the scope does.
func TestAdminScopes(t *testing.T) {
	s, admin, secret := newTokenAdmin(t, nil)
	s.SetClient(t, "ops", func(c *store.Client) { c.Scopes = append(adminScopes, "other") })
	tokens := map[string]string{}
	for _, scope := range append(adminScopes, "other") {
		tokens[scope] = form(t, s, "/token", "grant_type=client_credentials", "scope="+scope).basic("ops", secret).wants(200, "").str("access_token")
	}
	parameter := regexp.MustCompile(`\{\w+\}`)
	for _, verb := range server.AdminVerbs() {
		path := parameter.ReplaceAllString(verb.Path, "nobody")
		for scope, token := range tokens {
			allowed := scope == "signet:admin" || scope == verb.Scope || verb.Scope == "" && scope != "other"
			if allowed && verb.Name == "session.revoke_everybody" {
				continue // it has no input that could be wrong, and would end the other tokens
			}
			a := withToken(t, admin, verb.Method, path, "[]", token).do()
			if refused := a.Status == 403; refused == allowed {
				t.Errorf("%s %s with %s: got %d", verb.Method, verb.Path, scope, a.Status)
			}
			if want := `error="insufficient_scope", scope="` + verb.Scope; !allowed && !strings.Contains(a.Header.Get("WWW-Authenticate"), want) {
				t.Errorf("%s %s with %s: got WWW-Authenticate %q, want %s", verb.Method, verb.Path, scope, a.Header.Get("WWW-Authenticate"), want)
			}
		}
	}
}
