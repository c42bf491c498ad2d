package connect

import (
	"testing"

	"signet/server/admin/api"
	"signet/server/admin/client"
)

// TestMessagesNameFlags: what the server calls by its member is a flag on the command line.
func TestMessagesNameFlags(t *testing.T) {
	create, rotate, user := api.CreateClient.At(), api.RotateSecret.At("web"), api.CreateUser.At()
	for _, c := range []struct {
		target     api.Target
		code       string
		from, want string
	}{
		{create, api.CodeInvalid, "client_id must be 1 to 128 letters; grants must name one; access_token_ttl must be whole seconds",
			"--id must be 1 to 128 letters; --grant must name one; --ttl must be whole seconds"},
		{create, api.CodeInvalid, `scopes: "a; claims client_id" must be printable; a public client has no keys: leave jwks out`,
			`--scope: "a; claims client_id" must be printable; a public client has no keys: leave --jwks out`},
		{create, api.CodeInvalid, "jwks: key 1: crv must be P-256; introspect_for narrows the right to introspect: set introspect too",
			"--jwks: key 1: crv must be P-256; --introspect-for narrows the right to introspect: set --introspect too"},
		{create, api.CodeInvalid, "name that in auth_methods too, or make jwks null", "name that in --auth-method too, or give --jwks ''"},
		{rotate, api.CodeRefused, "rotate it with revoke_old, or disable the client", "rotate it with --revoke-old, or disable the client"},
		{create, api.CodeForbidden, "scopes of the admin API that your token has not", "scopes of the admin API that your token has not"},
		{user, api.CodeInvalid, "claims: too many", "claims: too many"},
	} {
		if got := explain(&client.Error{Target: c.target, Status: 400, Code: c.code, Message: c.from}).Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
