package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"signet/server/admin/api"
	"signet/server/servertest"
)

// Every row is a client that is right but for one thing, laid over this one.
func TestClientValidation(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	many := func(format string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(format, i))
		}
		return `["` + strings.Join(all, `","`) + `"]`
	}
	x := strings.Repeat("A", 43)
	key := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}]}`
	long := strings.Repeat("x", 501)
	for i, c := range []struct{ name, members, message string }{
		{"plain", ``, ""},
		{"no id", `"client_id":""`, "client_id must be"},
		{"id with a space", `"client_id":"a b"`, "client_id must be"},
		{"id with a slash", `"client_id":"a/b"`, "client_id must be"},
		{"long id", `"client_id":"` + strings.Repeat("x", 129) + `"`, "client_id must be"},
		{"id of the browsers", `"client_id":"signet-browser"`, "must not be signet-browser"},
		{"id like a sub", `"client_id":"usr_x"`, "must not begin with usr_"},

		{"no grants", `"grants":[]`, "grants must name"},
		{"no grants, but introspects", `"grants":[],"introspect":true`, ""},
		{"unknown grant", `"grants":["implicit"]`, `"implicit" must be one of authorization_code, password`},
		{"grant twice", `"grants":["client_credentials","client_credentials"]`, "is there twice"},
		{"refresh without password", `"grants":["refresh_token"]`, "needs the grant authorization_code or password"},
		{"password alone", `"grants":["password"]`, ""},
		{"public", `"public":true,"grants":["password"]`, ""},
		{"public with client_credentials", `"public":true`, "no credentials"},
		{"introspects for some", `"introspect":true,"introspect_for":["https://api.example","orders"]`, ""},
		{"introspects for some, without the right", `"introspect_for":["orders"]`, "narrows the right"},
		{"introspects for no service's name", `"introspect":true,"introspect_for":["a b"]`, "visible ASCII"},
		{"public that introspects", `"public":true,"grants":["password"],"introspect":true`, "cannot introspect"},

		{"one method", `"auth_methods":["client_secret_basic"]`, ""},
		{"no methods", `"auth_methods":[]`, "must name at least one of client_secret_basic"},
		{"none for a confidential client", `"auth_methods":["none"]`, "only a public client"},
		{"unknown method", `"auth_methods":["tls_client_auth"]`, "must be one of client_secret_basic"},
		{"a secret for a public client", `"public":true,"grants":["password"],"auth_methods":["client_secret_post"]`, "of a public client"},

		{"key", `"auth_methods":["private_key_jwt"],"jwks":` + key, ""},
		{"key and secret", `"auth_methods":["private_key_jwt","client_secret_basic"],"jwks":` + key, ""},
		{"key alone says the method", `"jwks":` + key, ""},
		{"method without a key", `"auth_methods":["private_key_jwt"]`, "jwks is missing"},
		{"method with no key", `"auth_methods":["private_key_jwt"],"jwks":null`, "jwks is missing"},
		{"key without the method", `"auth_methods":["client_secret_basic"],"jwks":` + key, "name that in auth_methods too, or make jwks null"},
		{"key of a public client", `"public":true,"grants":["password"],"jwks":` + key, "a public client has no keys: leave jwks out"},
		{"private_key_jwt for a public client", `"public":true,"grants":["password"],"auth_methods":["private_key_jwt"],"jwks":` + key, "of a public client"},
		{"private key", `"jwks":{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + x + `","d":"` + x + `"}]}`, "consider it leaked"},
		{"secret as a key", `"jwks":{"keys":[{"kty":"oct","k":"AAAA"}]}`, "consider it leaked"},
		{"key set that is a string", `"jwks":"x"`, "jwks: it is not a JSON object"},
		{"empty key set", `"jwks":{"keys":[]}`, "jwks: it has no keys"},
		{"key set of encryption keys", `"jwks":{"keys":[{"kty":"OKP","crv":"X25519","x":"` + x + `","use":"enc"}]}`, `crv must be Ed25519, not "X25519"`},
		{"key set at a URL", `"jwks_uri":"https://app.example/jwks"`, `"jwks_uri"`},

		{"scopes", `"scopes":["a:b","https://x/y.z","!~"]`, ""},
		{"scope with a space", `"scopes":["a b"]`, "printable ASCII"},
		{"empty scope", `"scopes":[""]`, "printable ASCII"},
		{"scope with a quote", `"scopes":["a\"b"]`, "printable ASCII"},
		{"scope beyond ASCII", `"scopes":["é"]`, "printable ASCII"},
		{"scope twice", `"scopes":["a","b","a"]`, `"a" is there twice`},
		{"100 scopes", `"scopes":` + many("%d", 100), ""},
		{"101 scopes", `"scopes":` + many("%d", 101), "101 entries"},
		{"1000 of scope", `"scopes":["` + long[:499] + `","` + strings.Repeat("y", 500) + `"]`, ""},
		{"1001 of scope", `"scopes":["` + long[:500] + `","` + strings.Repeat("y", 500) + `"]`, "1001 characters"},
		{"admin", `"scopes":["signet:admin"]`, ""},
		{"public admin", `"public":true,"grants":["password"],"scopes":["signet:admin"]`, "public client cannot have the scope"},
		{"admin for every user", `"grants":["client_credentials","password"],"scopes":["signet:admin"]`, "every user"},

		{"audiences", `"audiences":["https://api.example/v1","urn:x:y","orders"]`, ""},
		{"audience with a space", `"audiences":["a b"]`, "visible ASCII"},
		{"empty audience", `"audiences":[""]`, "visible ASCII"},
		{"audience with a fragment", `"audiences":["https://api.example/#x"]`, "without a fragment"},
		{"audience with no scheme", `"audiences":["//x:y"]`, "absolute URI"},
		{"long audience", `"audiences":["` + long + `"]`, "visible ASCII"},
		{"audience twice", `"audiences":["a","a"]`, "is there twice"},
		{"21 audiences", `"audiences":` + many("a%d", 21), "21 entries"},

		{"origins", `"origins":["https://app.example","https://app.example:8443","http://localhost:5173","http://127.0.0.1","http://[::1]:80"]`, "origins"},
		{"origins as browsers send them", `"origins":["https://app.example","https://app.example:8443","http://localhost:5173","http://127.0.0.1","http://[::1]:8080"]`, ""},
		{"origin with a slash", `"origins":["https://app.example/"]`, "write https://app.example"},
		{"origin with a path", `"origins":["http://LOCALHOST:5173/login?x#y"]`, "write http://localhost:5173"},
		{"address without a scheme", `"origins":["app.example"]`, "no slash at the end"},
		{"any origin", `"origins":["*"]`, "no *"},
		{"wildcard origin", `"origins":["https://*.example"]`, "no *"},
		{"null origin", `"origins":["null"]`, "as browsers send it"},
		{"plain http", `"origins":["http://app.example"]`, "https://"},
		{"http that looks like loopback", `"origins":["http://127.0.0.1.example"]`, "https://"},
		{"origin with its default port", `"origins":["https://app.example:443"]`, "write https://app.example"},
		{"origin with the other scheme's port", `"origins":["https://app.example:80"]`, ""},
		{"origin with a short address", `"origins":["http://127.1"]`, "as browsers send it"},
		{"origin with a number", `"origins":["https://2130706433"]`, "as browsers send it"},
		{"origin with an address in hex", `"origins":["https://0x7f.0.0.0x1"]`, "as browsers send it"},
		{"origin with an address in an address", `"origins":["https://[::ffff:192.0.2.1]"]`, "as browsers send it"},
		{"origin with an address in capitals", `"origins":["https://[2001:DB8::1]"]`, "write https://[2001:db8::1]"},
		{"origin with a dot at the end", `"origins":["https://app.example."]`, "as browsers send it"},
		{"origins of apps", `"origins":["capacitor://localhost","ionic://localhost","app://-","tauri://localhost:1420","chrome-extension://abcdefgh","app://Obsidian.md"]`, ""},
		{"origin of an app with a slash", `"origins":["ionic://localhost/"]`, "write ionic://localhost"},
		{"origin of an app in capitals", `"origins":["IONIC://localhost"]`, "write ionic://localhost"},
		{"origin of an app without a host", `"origins":["ionic://"]`, "as browsers send it"},
		{"origin of an app with a wildcard", `"origins":["ionic://*"]`, "as browsers send it"},
		{"origin of an app with port 0", `"origins":["ionic://localhost:0"]`, "as browsers send it"},
		{"origin of a file", `"origins":["file://localhost"]`, "as browsers send it"},
		{"origin of no page", `"origins":["javascript://x"]`, "as browsers send it"},
		{"origin with an empty port", `"origins":["https://app.example:"]`, "as browsers send it"},
		{"origin with port 0", `"origins":["https://app.example:0"]`, "as browsers send it"},
		{"origin in capitals", `"origins":["HTTPS://App.example"]`, "write https://app.example"},
		{"origin with a user", `"origins":["https://me@app.example"]`, "write https://app.example"},
		{"origin with a query", `"origins":["https://app.example?x"]`, "write https://app.example"},
		{"two origins in one", `"origins":["https://app.example https://b.example"]`, "as browsers send it"},
		{"origin beyond ASCII", `"origins":["https://bücher.example"]`, "as browsers send it"},
		{"origin without a host", `"origins":["https://"]`, "as browsers send it"},
		{"101 origins", `"origins":` + many("https://a%d.example", 101), "101 entries"},

		{"code", `"grants":["authorization_code"],"redirect_uris":["https://app.example/cb","com.example.app:/cb"]`, ""},
		{"code and refresh", `"public":true,"grants":["authorization_code","refresh_token"],"redirect_uris":["http://127.0.0.1/cb"]`, ""},
		{"code without a redirect URI", `"grants":["authorization_code"]`, "redirect_uris is missing"},
		{"redirect URI without a code", `"redirect_uris":["https://app.example/cb"]`, ""},
		{"redirect URI with a fragment", `"grants":["authorization_code"],"redirect_uris":["https://app.example/#cb"]`, "fragment"},
		{"redirect URI twice", `"grants":["authorization_code"],"redirect_uris":["https://app.example/","https://app.example/"]`, "is there twice"},
		{"101 redirect URIs", `"grants":["authorization_code"],"redirect_uris":` + many("https://a%d.example", 101), "101 entries"},
		{"admin for every user of the page", `"grants":["client_credentials","authorization_code"],"redirect_uris":["https://app.example/cb"],"scopes":["signet:admin"]`, "every user"},
		{"logout URIs", `"post_logout_redirect_uris":["https://app.example/bye"],"backchannel_logout_uri":"https://app.example/logout"`, ""},
		{"logout URI of http", `"post_logout_redirect_uris":["http://app.example/bye"]`, "must begin with https://"},
		{"back-channel logout URI of an app", `"backchannel_logout_uri":"com.example.app:/logout"`, "must begin with https://"},
		{"back-channel logout URI with a username", `"backchannel_logout_uri":"https://me@app.example/logout"`, "no username"},
		{"pushed requests", `"grants":["authorization_code"],"redirect_uris":["https://app.example/cb"],"require_pushed_authorization_requests":true`, ""},

		{"claims", `"claims":["roles","preferred_username","https://x.example/y"]`, ""},
		{"reserved claim", `"claims":["sub"]`, "meaning of its own"},
		{"empty claim", `"claims":[""]`, "1 to 64"},
		{"long claim", `"claims":["` + long[:65] + `"]`, "1 to 64"},
		{"claim with a control", `"claims":["a\u0000"]`, "1 to 64"},

		{"alg", `"alg":"ES256"`, ""},
		{"alg that is not live", `"alg":"PS256"`, "ES256, RS256"},
		{"alg none", `"alg":"none"`, "ES256, RS256"},
		{"ttl", `"access_token_ttl":"1h"`, ""},
		{"ttl above the cap", `"access_token_ttl":"1h1s"`, "at most 1h"},
		{"ttl zero", `"access_token_ttl":"0s"`, "access_token_ttl"},
		{"ttl negative", `"access_token_ttl":"-5m"`, "access_token_ttl"},
		{"ttl below a second", `"access_token_ttl":"10ms"`, "access_token_ttl"},
		{"ttl broken", `"access_token_ttl":"1500ms"`, "whole seconds"},
		{"ttl without a unit", `"access_token_ttl":"300"`, "whole seconds"},

		{"unknown member", `"redirect_uri":[]`, `"redirect_uri"`},
		{"what is not the operator's to set", `"disabled":true`, `"disabled"`},
		{"another spelling", `"Scopes":["x"]`, `"Scopes"`},
		{"member twice", `"alg":"ES256","alg":"RS256"`, "there twice"},
		{"wrong type", `"scopes":"a b"`, `"scopes" is of the wrong JSON type`},
		{"wrong type inside", `"scopes":[1]`, `"scopes" is of the wrong JSON type`},
		{"half a surrogate pair", `"scopes":["\ud800"]`, "surrogate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := c.members
			for _, base := range []string{fmt.Sprintf(`"client_id":"c%d"`, i), `"grants":["client_credentials"]`} {
				if name, _, _ := strings.Cut(base, ":"); !strings.Contains(body, name) {
					body = strings.TrimSuffix(base+","+body, ",")
				}
			}
			if c.message == "" {
				admin.CallJSON(t, "POST", "/v1/clients", "{"+body+"}").Wants(201, "")
				return
			}
			admin.CallJSON(t, "POST", "/v1/clients", "{"+body+"}").Wants(400, "invalid").WantsMessage(t, c.message)
		})
	}
	// The same rules hold for a change, and a refused change changes nothing.
	before := admin.CallJSON(t, "GET", "/v1/clients/web", "").Wants(200, "")
	admin.CallJSON(t, "PATCH", "/v1/clients/web", `{"scopes":["x"],"grants":["refresh_token"]}`).Wants(400, "invalid")
	admin.CallJSON(t, "PATCH", "/v1/clients/web", `{"scopes":["signet:admin"]}`).Wants(400, "invalid")
	if after := admin.CallJSON(t, "GET", "/v1/clients/web", "").Wants(200, ""); after.Raw != before.Raw {
		t.Errorf("after a refused change: got %s, want %s", after.Raw, before.Raw)
	}
}

func TestSaysAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	a := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"a b","grants":["x"],"origins":["*"],"alg":"none"}`).Wants(400, "invalid")
	for _, part := range []string{"client_id", "grants", "origins", "alg"} {
		a.WantsMessage(t, part)
	}
}

// TestVerbsWithoutBody: who sends one expects something of it, so nothing is done.
func TestVerbsWithoutBody(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	for _, target := range []api.Target{api.DisableClient.At("web"), api.DeleteClient.At("web"), api.RevokeSecret.At("web", api.OldestSecret),
		api.DisableUser.At("ada"), api.DeleteUser.At("ada"), api.RevokeSessions.At("ada"), api.RevokeAllSessions.At(), api.ClearThrottle.At(),
		api.RewrapKeys.At(), api.ResetClock.At(), api.SealStore.At()} {
		for _, body := range []string{`{"reason":"left"}`, `[]`, `reason=left`} {
			admin.CallJSON(t, target.Method, target.URL, body).Wants(400, "invalid").WantsMessage(t, "send it without a body; nothing was changed")
		}
	}
	s.Login(t)
	admin.CallJSON(t, "POST", "/v1/users/ada/disable", `{}`).Wants(200, "")
	admin.CallJSON(t, "POST", "/v1/users/ada/enable", "").Wants(200, "")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	for _, c := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"array", `[]`, 400, "send a JSON object"},
		{"null", `null`, 400, "send a JSON object"},
		{"form", `username=bob`, 400, "send a JSON object"},
		{"cut short", `{"username":"bob"`, 400, "not valid JSON"},
		{"trailing", `{"username":"bob"} {}`, 400, "follows"},
		{"trailing rubbish", `{"username":"bob"} x`, 400, "follows"},
		{"syntax", `{"username":"bob",}`, 400, "not valid JSON"},
		{"not UTF-8", "{\"username\":\"b\xffb\"}", 400, "UTF-8"},
		{"deep", `{"username":"bob","claims":{"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}}`, 400, "deep"},
		{"member twice inside", `{"username":"bob","claims":{"x":{"a":1,"a":2}}}`, 400, "twice"},
		{"large", `{"username":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "1 MiB"},
		{"a password as a number", `{"username":"bob","password":31415926535}`, 400, `"password" is of the wrong JSON type`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := admin.CallJSON(t, "POST", "/v1/users", c.body).Wants(c.status, "invalid")
			a.WantsMessage(t, c.message)
			if strings.Contains(a.Raw, "31415926535") {
				t.Error("the message quotes the value")
			}
		})
	}
}
