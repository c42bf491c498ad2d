package server_test

import (
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// A signed answer has the asking client's id as its aud. Where that is also the audience of some tokens, many
// verifiers would take the answer for an access token of that service: so it is not signed.
func TestAnswersThatCouldPassAsTokensAreNotSigned(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*server.Config)
		spec   string
		signed bool
	}{
		{"another client's audience", nil, `{"client_id":"app","grants":["client_credentials"],"audiences":["https://x.example","orders"]}`, false},
		{"its own audience", nil, "", false},
		{"what another may introspect", nil, `{"client_id":"app","introspect":true,"grants":[],"introspect_for":["orders"]}`, false},
		{"the server's default", func(cfg *server.Config) { cfg.Audience = []string{"orders"} }, `{"client_id":"app","grants":["client_credentials"]}`, false},
		{"nobody's", nil, `{"client_id":"app","grants":["client_credentials"],"audiences":["Orders","https://orders"]}`, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, admin := servertest.NewAdmin(t, row.change)
			own := ""
			if row.spec == "" {
				own = `,"audiences":["orders"]`
			} else {
				admin.CallJSON(t, "POST", "/v1/clients", row.spec).Wants(201, "")
			}
			made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"orders","introspect":true,"grants":["client_credentials"]`+own+`}`).Wants(201, "")
			if warned := strings.Contains(made.Raw, "never signed"); warned == row.signed {
				t.Errorf("create: got %s", made.Raw)
			}
			token := s.Login(t).Str("access_token")
			ask := s.Form(t, "/introspect", "token="+token).Basic("orders", made.Str("client_secret")).Set("Accept", "application/token-introspection+jwt")
			a := ask.Wants(200, "")
			if signed := a.Header.Get("Content-Type") == "application/token-introspection+jwt"; signed != row.signed {
				t.Errorf("got %s: %.200s", a.Header.Get("Content-Type"), a.Raw)
			}
			if !row.signed && (a.JSON["active"] != true || !strings.Contains(s.Log.String(), "the answer is not signed")) {
				t.Errorf("got %s and no reason in the log", a.Raw)
			}
		})
	}
}

// It ends with the audience, and whoever registers such an audience is told.
func TestUnsignedAnswersFollowTheRegistration(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	signed := func() bool {
		a := s.Form(t, "/introspect", "token=x").Web().Set("Accept", "application/token-introspection+jwt").Wants(200, "")
		return a.Header.Get("Content-Type") == "application/token-introspection+jwt"
	}
	if !signed() {
		t.Fatal("the answer is not signed at first")
	}
	changed := admin.CallJSON(t, "PATCH", "/v1/clients/other", `{"audiences":["web"]}`).Wants(200, "")
	if !strings.Contains(changed.Raw, `"warnings":["the audience \"web\" is also the id of a client that may introspect`) || signed() {
		t.Errorf("got %s, and the answer signed: %v", changed.Raw, signed())
	}
	if a := admin.CallJSON(t, "PATCH", "/v1/clients/other", `{"audiences":[]}`).Wants(200, ""); strings.Contains(a.Raw, "warnings") || !signed() {
		t.Errorf("got %s, and the answer signed: %v", a.Raw, signed())
	}
	s.SetClient(t, servertest.Other, func(c *store.Client) { c.Audiences = []string{"web"} })
	s.Clock.Add(11 * time.Second)
	if signed() {
		t.Error("a change through another replica went unseen")
	}
}

// RFC 7517 §5: the usable key of a set is registered, and the answer names the others.
func TestUnusableClientKeysAreNamed(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	p384 := `{"kty":"EC","crv":"P-384","x":"AAAA","y":"AAAA"}`
	made := admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"robot","grants":["client_credentials"],"jwks":`+servertest.JWKS(p384, key.JWK(`"kid":"one"`), `{"kty":"AKP"}`)+`}`).Wants(201, "")
	for _, part := range []string{`"warnings":[`, `jwks: key 1: crv must be P-256`, `jwks: key 3: kty \"AKP\"`, "left out"} {
		if !strings.Contains(made.Raw, part) {
			t.Errorf("create: got %s, want %s", made.Raw, part)
		}
	}
	s.Asserted(t, key, "robot").Wants(200, "")
	if shown := admin.CallJSON(t, "GET", "/v1/clients/robot", "").Wants(200, ""); strings.Contains(shown.Raw, "warnings") || strings.Contains(shown.Raw, "P-384") {
		t.Errorf("show: got %s", shown.Raw)
	}
	admin.CallJSON(t, "PATCH", "/v1/clients/robot", `{"jwks":`+servertest.JWKS(p384)+`}`).Wants(400, "invalid").WantsMessage(t, "crv must be P-256")
}
