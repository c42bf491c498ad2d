package admin_test

import (
	"strings"
	"testing"
	"time"

	"signet/server/clientauth"
	"signet/server/servertest"
)

// TestIfMatch: a client that another operator has changed is changed no more, by any verb.
func TestIfMatch(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"]}`).Wants(201, "")
	secret, first := made.Str("client_secret"), made.Str("revision")
	s.ClientToken(t, "job", secret).Wants(200, "") // the first use is no change by an operator
	s.Clock.Add(time.Minute)
	if got := admin.CallJSON(t, "GET", "/v1/clients/job", "").Wants(200, "").Str("revision"); first == "" || got != first {
		t.Errorf("after the first use: got revision %q, want %q", got, first)
	}
	quoted := func(revision string) string { return `"` + revision + `"` }
	second := admin.CallJSON(t, "PATCH", "/v1/clients/job", `{"scopes":["a"]}`).Set("If-Match", quoted(first)).Wants(200, "").Str("revision")
	if second == first {
		t.Error("the update kept the revision")
	}
	for _, verb := range []struct{ method, path, body string }{
		{"PATCH", "", `{"scopes":["b"]}`}, {"POST", "/disable", ""}, {"POST", "/enable", ""}, {"POST", "/secret", ""}, {"DELETE", "", ""},
	} {
		for _, tag := range []string{quoted(first), "W/" + quoted(second), second, ""} {
			admin.CallJSON(t, verb.method, "/v1/clients/job"+verb.path, verb.body).Set("If-Match", tag).Wants(412, "changed")
		}
	}
	if got := admin.CallJSON(t, "GET", "/v1/clients/job", "").Wants(200, "").Str("revision"); got != second {
		t.Errorf("after what was refused: got revision %q, want %q", got, second)
	}
	third := admin.CallJSON(t, "POST", "/v1/clients/job/disable", "").Set("If-Match", `"x", `+quoted(second)).Wants(200, "").Str("revision")
	admin.CallJSON(t, "POST", "/v1/clients/job/secret", "").Set("If-Match", quoted(third)).Wants(200, "")
	admin.CallJSON(t, "DELETE", "/v1/clients/job", "").Set("If-Match", quoted(third)).Wants(412, "changed")
	admin.CallJSON(t, "DELETE", "/v1/clients/job", "").Set("If-Match", "*").Wants(204, "")
}

// TestGivenSecret: a secret that was made elsewhere works and is not repeated, if it has as many bits as those of Signet.
func TestGivenSecret(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	first, second := clientauth.NewSecret(), clientauth.NewSecret()
	made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"job","grants":["client_credentials"],"client_secret":"`+first+`"}`).Wants(201, "")
	rotated := admin.CallJSON(t, "POST", "/v1/clients/job/secret", `{"client_secret":"`+second+`"}`).Wants(200, "")
	s.ClientToken(t, "job", first).Wants(200, "")
	s.ClientToken(t, "job", second).Wants(200, "")
	for _, answer := range []servertest.Answer{made, rotated} {
		if _, there := answer.JSON["client_secret"]; there {
			t.Errorf("got %s, want no secret", answer.Raw)
		}
	}
	admin.CallJSON(t, "POST", "/v1/clients/job/secret", `{"client_secret":"`+first+`"}`).Wants(409, "refused")
	for _, bad := range []string{"password", strings.TrimPrefix(first, "signet_cs_"), first + "A", first[:len(first)-1], "signet_cs_" + strings.Repeat("A", 43),
		"signet_cs_" + strings.Repeat("abcdefgh", 5) + "abA", first[:len(first)-1] + "=", first[:20] + `\n` + first[20:]} {
		for path, body := range map[string]string{"/v1/clients": `"client_id":"other","grants":["client_credentials"],`, "/v1/clients/job/secret": ""} {
			answer := admin.CallJSON(t, "POST", path, `{`+body+`"client_secret":"`+bad+`"}`).Wants(400, "invalid")
			if answer.WantsMessage(t, "client_secret "); strings.Contains(answer.Raw, bad) {
				t.Errorf("got %s, which has the secret", answer.Raw)
			}
		}
	}
	for _, spec := range []string{`"public":true,"grants":["password"]`, `"introspect":true,"auth_methods":["none"]`} {
		admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"spa",`+spec+`,"client_secret":"`+first+`"}`).Wants(400, "invalid")
	}
	if log := s.Log.String(); strings.Contains(log, first) || strings.Contains(log, second) {
		t.Error("the log has a secret")
	}
}
