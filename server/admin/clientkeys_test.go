package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"signet/server/servertest"
)

// rawMember is a member of an answer as it was written.
func rawMember(t testing.TB, a servertest.Answer, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.Raw), &members); err != nil {
		t.Fatal(err)
	}
	return string(members[name])
}

func TestClientKeys(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	first, second := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "EdDSA")
	made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"robot","grants":["client_credentials"],"jwks":`+servertest.JWKS(first.JWK(`"kid":"one","x5t":"dropped","use":"sig"`))+`}`).Wants(201, "")
	if _, has := made.JSON["client_secret"]; has || fmt.Sprint(made.JSON["auth_methods"], made.JSON["secrets"]) != "[private_key_jwt] []" {
		t.Errorf("create: got %s, want no secret", made.Raw)
	}
	shown := rawMember(t, admin.CallJSON(t, "GET", "/v1/clients/robot", "").Wants(200, ""), "jwks")
	if want := servertest.JWKS(`{"kty":"EC","use":"sig","alg":"ES256","kid":"one","crv":"P-256","x":"` + first.Member("x") + `","y":"` + first.Member("y") + `"}`); shown != want {
		t.Errorf("show: got %s, want %s", shown, want)
	}
	admin.CallJSON(t, "POST", "/v1/clients/robot/secret", "").Wants(400, "invalid").WantsMessage(t, "signs with a key of its own")

	// The next key joins the one in use; what is not named stays.
	admin.CallJSON(t, "PATCH", "/v1/clients/robot", `{"jwks":`+servertest.JWKS(first.JWK(`"kid":"one"`), second.JWK(`"kid":"two"`))+`}`).Wants(200, "")
	two := admin.CallJSON(t, "PATCH", "/v1/clients/robot", `{"scopes":["x"]}`).Wants(200, "")
	if got := rawMember(t, two, "jwks"); !strings.Contains(got, `"kid":"one"`) || !strings.Contains(got, `"kid":"two"`) {
		t.Errorf("after a change of something else: got %s", got)
	}
	if got := s.AwaitEvent(t, "client.update").Detail["members"]; got != "scopes" {
		t.Errorf("audit: got members %q", got)
	}

	// All that is wrong with the keys is said at once, and nothing changes.
	bad := admin.CallJSON(t, "PATCH", "/v1/clients/robot", `{"scopes":["a b"],"jwks":`+servertest.JWKS(first.JWK(`"use":"enc","alg":"ES512"`), `{"kty":"oct"}`)+`}`).Wants(400, "invalid")
	for _, part := range []string{"scopes", "jwks: key 1: use", "jwks: key 1: alg", "jwks: key 2: not a public key", "consider it leaked"} {
		bad.WantsMessage(t, part)
	}
	if after := admin.CallJSON(t, "GET", "/v1/clients/robot", "").Wants(200, ""); after.Raw != two.Raw {
		t.Errorf("after a refused change: got %s, want %s", after.Raw, two.Raw)
	}
	private := admin.CallJSON(t, "PATCH", "/v1/clients/robot", `{"jwks":`+servertest.JWKS(first.JWK(`"d":"c2VjcmV0LXNjYWxhcg"`))+`}`).Wants(400, "invalid")
	private.WantsMessage(t, `it has the private member "d"`)
	if strings.Contains(private.Raw+s.Log.String(), "c2VjcmV0LXNjYWxhcg") {
		t.Error("the answer or the log shows the private key")
	}
}

// A secret that was given up does not come back to life with the method.
func TestClientLeavesItsSecret(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	secret := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).Wants(201, "").Str("client_secret")
	both := admin.CallJSON(t, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic","private_key_jwt"],"jwks":`+servertest.JWKS(key.JWK(""))+`}`).Wants(200, "")
	if len(both.JSON["secrets"].([]any)) != 1 {
		t.Errorf("with both methods: got %s", both.Raw)
	}
	s.ClientToken(t, "job", secret).Wants(200, "")
	s.Asserted(t, key, "job").Wants(200, "")
	admin.CallJSON(t, "PATCH", "/v1/clients/job", `{"auth_methods":["private_key_jwt"]}`).Wants(200, "")
	s.ClientToken(t, "job", secret).Wants(401, "invalid_client")
	s.Asserted(t, key, "job").Wants(200, "")
	admin.CallJSON(t, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic"]}`).Wants(400, "invalid").WantsMessage(t, "make jwks null")
	back := admin.CallJSON(t, "PATCH", "/v1/clients/job", `{"auth_methods":["client_secret_basic"],"jwks":null}`).Wants(200, "")
	if _, has := back.JSON["jwks"]; has {
		t.Errorf("jwks: got %s, want none", back.Raw)
	}
	s.ClientToken(t, "job", secret).Wants(401, "invalid_client")
	s.Asserted(t, key, "job").Wants(401, "invalid_client")
	fresh := admin.CallJSON(t, "POST", "/v1/clients/job/secret", "").Wants(200, "").Str("client_secret")
	s.ClientToken(t, "job", fresh).Wants(200, "")
}
