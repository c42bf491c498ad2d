package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// rawMember is a member of an answer as it was written.
func rawMember(t testing.TB, a answer, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.Raw), &members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}

func TestAdminClientKeys(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	first, second := newAppKey(t, "ES256"), newAppKey(t, "EdDSA")
	made := adminCall(t, admin, "POST", "/v1/clients", `{"client_id":"robot","grants":["client_credentials"],"jwks":`+jwks(first.jwk(`"kid":"one","x5t":"dropped","use":"sig"`))+`}`).wants(201, "")
	if _, has := made.JSON["client_secret"]; has || fmt.Sprint(made.JSON["auth_methods"], made.JSON["secrets"]) != "[private_key_jwt] []" {
		t.Errorf("create: got %s, want no secret", made.Raw)
	}
	shown := rawMember(t, adminCall(t, admin, "GET", "/v1/clients/robot", "").wants(200, ""), "jwks")
	if want := jwks(`{"kty":"EC","use":"sig","alg":"ES256","kid":"one","crv":"P-256","x":"` + first.member("x") + `","y":"` + first.member("y") + `"}`); shown != want {
		t.Errorf("show: got %s, want %s", shown, want)
	}
	adminCall(t, admin, "POST", "/v1/clients/robot/secret", "").wants(400, "invalid").wantsMessage(t, "signs with a key of its own")

	// The next key joins the one in use; what is not named stays.
	adminCall(t, admin, "PATCH", "/v1/clients/robot", `{"jwks":`+jwks(first.jwk(`"kid":"one"`), second.jwk(`"kid":"two"`))+`}`).wants(200, "")
	two := adminCall(t, admin, "PATCH", "/v1/clients/robot", `{"scopes":["x"]}`).wants(200, "")
	if got := rawMember(t, two, "jwks"); !strings.Contains(got, `"kid":"one"`) || !strings.Contains(got, `"kid":"two"`) {
		t.Errorf("after a change of something else: got %s", got)
	}
	if got := trail(t, s, "client.update").Detail["members"]; got != "scopes" {
		t.Errorf("audit: got members %q", got)
	}

	// All that is wrong with the keys is said at once, and nothing changes.
	bad := adminCall(t, admin, "PATCH", "/v1/clients/robot", `{"scopes":["a b"],"jwks":`+jwks(first.jwk(`"use":"enc","alg":"ES512"`), `{"kty":"oct"}`)+`}`).wants(400, "invalid")
	for _, part := range []string{"scopes", "jwks: key 1: use", "jwks: key 1: alg", "jwks: key 2: not a public key", "consider it leaked"} {
		bad.wantsMessage(t, part)
	}
	if after := adminCall(t, admin, "GET", "/v1/clients/robot", "").wants(200, ""); after.Raw != two.Raw {
		t.Errorf("after a refused change: got %s, want %s", after.Raw, two.Raw)
	}
	private := adminCall(t, admin, "PATCH", "/v1/clients/robot", `{"jwks":`+jwks(first.jwk(`"d":"c2VjcmV0LXNjYWxhcg"`))+`}`).wants(400, "invalid")
	private.wantsMessage(t, `it has the private member "d"`)
	if strings.Contains(private.Raw+s.Log.String(), "c2VjcmV0LXNjYWxhcg") {
		t.Error("the answer or the log shows the private key")
	}
}

// A secret that was given up does not come back to life with the method.
func TestAdminClientLeavesItsSecret(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	key := newAppKey(t, "ES256")
	secret := adminCall(t, admin, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).wants(201, "").str("client_secret")
	both := adminCall(t, admin, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic","private_key_jwt"],"jwks":`+jwks(key.jwk(""))+`}`).wants(200, "")
	if len(both.JSON["secrets"].([]any)) != 1 {
		t.Errorf("with both methods: got %s", both.Raw)
	}
	clientToken(t, s, "job", secret).wants(200, "")
	asserted(t, s, key, "job").wants(200, "")
	adminCall(t, admin, "PATCH", "/v1/clients/job", `{"auth_methods":["private_key_jwt"]}`).wants(200, "")
	clientToken(t, s, "job", secret).wants(401, "invalid_client")
	asserted(t, s, key, "job").wants(200, "")
	adminCall(t, admin, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic"]}`).wants(400, "invalid").wantsMessage(t, "make jwks null")
	back := adminCall(t, admin, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic"],"jwks":null}`).wants(200, "")
	if _, has := back.JSON["jwks"]; has {
		t.Errorf("jwks: got %s, want none", back.Raw)
	}
	clientToken(t, s, "job", secret).wants(401, "invalid_client")
	asserted(t, s, key, "job").wants(401, "invalid_client")
	fresh := adminCall(t, admin, "POST", "/v1/clients/job/secret", "").wants(200, "").str("client_secret")
	clientToken(t, s, "job", fresh).wants(200, "")
}
