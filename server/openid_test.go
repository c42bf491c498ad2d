package server_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// idToken returns the claims of the answer's id_token, whose signature and at_hash are good.
func idToken(t testing.TB, s *servertest.Server, a servertest.Answer) map[string]any {
	t.Helper()
	raw := a.Str("id_token")
	if _, err := s.Keys.Verify(raw, "JWT", &struct{}{}); err != nil {
		t.Fatalf("id_token %q: %v\n%s", raw, err, a.Raw)
	}
	_, claims := servertest.DecodeJWT(t, raw)
	sum := sha256.Sum256([]byte(a.Str("access_token")))
	if want := base64.RawURLEncoding.EncodeToString(sum[:16]); claims["at_hash"] != want {
		t.Errorf("at_hash: got %v, want %s", claims["at_hash"], want)
	}
	delete(claims, "at_hash")
	return claims
}

// An id_token goes with the tokens of every grant whose scope has openid. The auth_time of a refresh is that of the login (OpenID
// Connect Core §12.2).
func TestIDToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	if a := s.Login(t); a.Str("id_token") != "" {
		t.Errorf("without openid: got %s", a.Raw)
	}
	withOpenID(t, s)
	begun := s.Clock.Now().Unix()
	login := s.Login(t, "scope=openid profile")
	_, access := servertest.DecodeJWT(t, login.Str("access_token"))
	want := map[string]any{"iss": s.URL, "sub": s.UserID.String(), "aud": "web", "iat": float64(begun), "exp": float64(begun + 300), "auth_time": float64(begun),
		"amr": []any{"pwd"}, "acr": "1", "sid": access["sid"]}
	if got := idToken(t, s, login); !reflect.DeepEqual(got, want) {
		t.Errorf("login: got %v, want %v", got, want)
	}
	s.Move(t, time.Minute)
	refreshed := s.Refresh(t, login.Str("refresh_token")).Wants(200, "")
	got := idToken(t, s, refreshed)
	want["iat"], want["exp"] = float64(begun+60), float64(begun+360)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("refresh: got %v, want %v", got, want)
	}
	narrowed := s.Refresh(t, refreshed.Str("refresh_token"), "scope=profile").Wants(200, "")
	if narrowed.Str("id_token") != "" {
		t.Errorf("a refresh that asks for less than openid: got %s", narrowed.Raw)
	}
	if a := s.ClientToken(t, servertest.Web, servertest.WebSecret).Wants(200, ""); a.Str("id_token") != "" {
		t.Errorf("a token of the client's own: got %s", a.Raw)
	}
}

// A client whose id is a service's name gets no id_token: careless verifiers would take one for an access token of that service.
func TestNoIDTokenWhereItCouldPassAsAccessToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	withOpenID(t, s)
	begun := s.Login(t)
	idToken(t, s, begun)
	s.SetClient(t, servertest.Service, func(c *store.Client) { c.Audiences = []string{servertest.Web} })
	s.PasswordLogin(t, servertest.User, servertest.Password, "scope=openid").Wants(400, "invalid_scope")
	if a := s.Login(t); a.Str("id_token") != "" || a.Str("scope") != "profile orders:read orders:write email phone address" {
		t.Errorf("login: got %s", a.Raw)
	}
	warned := s.ServeAdmin(t, s.Admin()).CallJSON(t, "PATCH", "/v1/clients/web", `{"claims":[]}`).Wants(200, "")
	if got := fmt.Sprint(warned.JSON["warnings"]); !strings.Contains(got, "gets no id_token") {
		t.Errorf("warnings of the operator: %s", got)
	}
	s.Log.Drain()
	if a := s.Refresh(t, begun.Str("refresh_token")).Wants(200, ""); a.Str("id_token") != "" {
		t.Errorf("refresh: got %s", a.Raw)
	}
	if !strings.Contains(s.Log.String(), "gets no id_token") {
		t.Error("the log does not have that the client gets no id_token")
	}
}

// /userinfo takes a token with openid also of a client with services of its own, unless the app has chosen among the services.
func TestAudienceOfTokensForUserinfo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	withOpenID(t, s)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{"https://a.example.com", "https://b.example.com"} })
	all := []any{"https://a.example.com", "https://b.example.com", s.URL}
	for _, row := range []struct {
		name          string
		login         []string
		aud, refresh  any
		userinfo      int
		afterRefreshs int
	}{
		{"openid", []string{"scope=openid"}, all, all, 200, 200},
		{"no openid", []string{"scope=profile"}, all[:2], all[:2], 401, 401},
		{"one service by resource", []string{"scope=openid", "resource=https://a.example.com"}, "https://a.example.com", "https://a.example.com", 401, 401},
	} {
		login := s.Login(t, row.login...)
		refreshed := s.Refresh(t, login.Str("refresh_token")).Wants(200, "")
		for _, c := range []struct {
			a      servertest.Answer
			aud    any
			status int
		}{{login, row.aud, row.userinfo}, {refreshed, row.refresh, row.afterRefreshs}} {
			if _, claims := servertest.DecodeJWT(t, c.a.Str("access_token")); !reflect.DeepEqual(claims["aud"], c.aud) {
				t.Errorf("%s: got aud %v, want %v", row.name, claims["aud"], c.aud)
			}
			if a := s.Call(t, "GET", "/userinfo").Bearer(c.a.Str("access_token")).Do(); a.Status != c.status {
				t.Errorf("%s: got %d from userinfo, want %d", row.name, a.Status, c.status)
			}
		}
	}
}

// The scopes of OpenID Connect request claims of the user. What an app could not read is left out, and logged.
func TestStandardClaimsOfUserinfo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	withOpenID(t, s)
	claims := map[string]string{
		"name": `"Ada Lovelace"`, "locale": `"en"`, "nickname": `""`, "birthdate": `1815`, "updated_at": `"yesterday"`,
		"email": `"ada@example.com"`, "email_verified": `true`,
		"phone_number": `"+44 1"`, "phone_number_verified": `"true"`,
		"address": `{"country":"GB","postal_code":"W1"}`, "roles": `["engineer"]`, "shoe_size": `38`,
	}
	setClaims(t, s, claims)
	user, err := s.Store.User(t.Context(), s.UserID)
	if err != nil {
		t.Fatal(err)
	}
	ours := map[string]any{"sub": s.UserID.String(), "username": "ada", "preferred_username": "ada", "roles": []any{"engineer"}}
	email := map[string]any{"email": "ada@example.com", "email_verified": true}
	for _, row := range []struct {
		scope string
		want  []map[string]any
		wrong []string
	}{
		{"openid", nil, nil},
		{"profile email", nil, nil}, // as it was before there was OpenID Connect
		{"openid email", []map[string]any{email}, nil},
		{"openid profile", []map[string]any{{"name": "Ada Lovelace", "locale": "en"}}, []string{"birthdate", "updated_at"}},
		{"openid phone", []map[string]any{{"phone_number": "+44 1"}}, []string{"phone_number_verified"}},
		{"openid address email", []map[string]any{email, {"address": map[string]any{"country": "GB", "postal_code": "W1"}}}, nil},
	} {
		s.Log.Drain()
		token := s.Login(t, "scope="+row.scope).Str("access_token")
		want := map[string]any{}
		for _, part := range append(row.want, ours) {
			maps.Copy(want, part)
		}
		for _, method := range []string{"GET", "POST"} {
			if a := s.Call(t, method, "/userinfo").Bearer(token).Wants(200, ""); !reflect.DeepEqual(a.JSON, want) {
				t.Errorf("%s %s: got %s, want %v", method, row.scope, a.Raw, want)
			}
		}
		for _, name := range row.wrong {
			if !strings.Contains(s.Log.String(), "the user's claim "+name) {
				t.Errorf("%s: the log does not have that %s was left out", row.scope, name)
			}
		}
	}
	delete(claims, "updated_at")
	setClaims(t, s, claims)
	a := s.Call(t, "GET", "/userinfo").Bearer(s.Login(t, "scope=openid profile").Str("access_token")).Wants(200, "")
	if got := a.JSON["updated_at"]; got == nil || got.(float64) < float64(user.UpdatedAt.Unix()) {
		t.Errorf("updated_at: got %v, want %d or later", got, user.UpdatedAt.Unix())
	}
}

func setClaims(t testing.TB, s *servertest.Server, claims map[string]string) {
	t.Helper()
	if _, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error {
		u.Claims = map[string]json.RawMessage{}
		for name, value := range claims {
			u.Claims[name] = json.RawMessage(value)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// Every URL of the metadata has an endpoint, also with an issuer that has a path, and every value is true.
func TestMetadataIsTrue(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, func(cfg *server.Config) { cfg.Issuer += "/auth" })
	a := s.Call(t, "GET", "/auth/.well-known/openid-configuration").Wants(200, "")
	for name, value := range a.JSON {
		url, ok := value.(string)
		if !ok || name == "issuer" {
			continue
		}
		if len(url) <= len(s.URL) || s.Call(t, "GET", url[len(s.URL):]).Do().Status == 404 {
			t.Errorf("%s: there is nothing at %s", name, url)
		}
	}
	for name, want := range map[string]string{
		"scopes_supported": "[openid profile email address phone]", "subject_types_supported": "[public]",
		"id_token_signing_alg_values_supported": "[ES256 RS256]", "acr_values_supported": "[1]",
	} {
		if got := a.JSON[name]; fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, want %s", name, got, want)
		}
	}
	claims, _ := a.JSON["claims_supported"].([]any)
	for _, name := range []string{"sub", "auth_time", "acr", "sid", "email_verified", "preferred_username", "updated_at"} {
		found := false
		for _, claim := range claims {
			found = found || claim == name
		}
		if !found {
			t.Errorf("claims_supported lacks %s: %v", name, claims)
		}
	}
}
