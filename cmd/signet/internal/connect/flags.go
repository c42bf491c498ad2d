package connect

import (
	"regexp"
	"strings"

	"signet/server/admin/api"
	"signet/server/admin/client"
)

// clientFlags are the flags that set the members of api.ClientSpec and api.SecretRotation.
var clientFlags = map[string]string{
	"client_id": "id", "public": "public", "auth_methods": "auth-method", "jwks": "jwks", "grants": "grant", "scopes": "scope",
	"audiences": "audience", "origins": "origin", "claims": "claim-name", "introspect": "introspect", "introspect_for": "introspect-for",
	"alg": "alg", "access_token_ttl": "ttl", "revoke_old": "revoke-old",
	"redirect_uris": "redirect-uri", "post_logout_redirect_uris": "post-logout-uri", "backchannel_logout_uri": "backchannel-logout-uri",
	"require_pushed_authorization_requests": "require-par",
}

// ClientFlag returns the name of the flag that sets a member of api.ClientSpec.
func ClientFlag(member string) string { return clientFlags[member] }

// member finds the members of clients in a message: at the start of each problem, and anywhere if it is no word of
// English. It also matches what is quoted, which stays as it is.
var member = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|(?:^|; )(?:public|grants|scopes|audiences|origins|claims|alg)\b|` +
	`make jwks null|set introspect\b|\b(?:client_id|auth_methods|access_token_ttl|introspect_for|revoke_old|jwks|` +
	`redirect_uris|post_logout_redirect_uris|backchannel_logout_uri)\b`)

// withFlags returns the message of a refusal with the flags of the command line in place of the API's members.
func withFlags(e *client.Error) string {
	if !strings.HasPrefix(e.Target.Path, api.CreateClient.Path) || e.Code != api.CodeInvalid && e.Code != api.CodeRefused {
		return e.Message
	}
	return member.ReplaceAllStringFunc(e.Message, func(found string) string {
		switch found {
		case "make jwks null":
			return "give --jwks ''"
		case "set introspect":
			return "set --introspect"
		}
		name := strings.TrimPrefix(found, "; ")
		if flag, ok := clientFlags[name]; ok {
			return strings.TrimSuffix(found, name) + "--" + flag
		}
		return found
	})
}
