package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
	"signet/server/token"
	"signet/store"
)

// withOpenID registers the client web for the scopes of OpenID Connect.
func withOpenID(t testing.TB, s *servertest.Server) {
	t.Helper()
	s.SetClient(t, servertest.Web, func(c *store.Client) {
		c.Scopes = append(slices.Clone(c.Scopes), "openid", "email", "phone", "address")
	})
}

// tokensOfEveryKind returns one good token of each kind in token.Kinds, all of one session of the client web. A kind that is new there
// is missing here.
func tokensOfEveryKind(t testing.TB, s *servertest.Server) map[string]string {
	t.Helper()
	login := s.Login(t)
	client, err := s.Store.Client(t.Context(), servertest.Web)
	if err != nil {
		t.Fatal(err)
	}
	_, claims := servertest.DecodeJWT(t, login.Str("id_token"))
	session, err := store.ParseSessionID(claims["sid"].(string))
	if err != nil {
		t.Fatal(err)
	}
	issuer := token.NewIssuer(token.IssuerConfig{Issuer: s.URL, Keys: s.Keys, Now: s.Clock.Now, MaxLife: time.Hour, Life: func() time.Duration { return time.Minute }})
	logout, err := issuer.LogoutToken(t.Context(), &client, s.UserID, session)
	if err != nil {
		t.Fatal(err)
	}
	sealer, err := token.NewSealer(s.Config.RefreshKeys, func() int { return 0 })
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{
		"access token": login.Str("access_token"), "id_token": login.Str("id_token"), "refresh token": login.Str("refresh_token"),
		"logout token": logout.Token, "signed introspection": introspectSigned(t, s, login.Str("access_token")),
		"authorization code": sealer.SealCode(token.Code{ClientID: servertest.Web, UserID: s.UserID, SessionID: session, Scope: "openid", Expires: s.Clock.Now().Add(time.Minute)}),
	}
	for _, kind := range token.Kinds {
		if made[kind.Name] == "" {
			t.Errorf("there is no %s among the tokens that are tried", kind.Name)
		}
	}
	return made
}

// places are all places where a token is taken, each with the kinds that it takes.
var places = []struct {
	name  string
	takes []string
	taken func(t *testing.T, s, admin *servertest.Server, raw string) bool
}{
	{"userinfo", []string{"access token"}, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		a := s.Call(t, "GET", "/userinfo").Bearer(raw).Do()
		return a.Status == http.StatusOK || a.Status != http.StatusUnauthorized
	}},
	{"introspection", []string{"access token", "refresh token"}, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		return s.Introspect(t, raw).JSON["active"] != false
	}},
	{"the admin API", nil, func(t *testing.T, _, admin *servertest.Server, raw string) bool {
		a := admin.Call(t, "GET", "/v1/clients").Bearer(raw).Do()
		return a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden
	}},
	{"the refresh token grant", []string{"refresh token"}, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		a := s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+raw).Web().Do()
		return a.Status != http.StatusBadRequest || a.Str("error") != "invalid_grant"
	}},
	{"a client assertion", nil, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		a := s.WithAssertion(t, raw).Do()
		return a.Status != http.StatusUnauthorized || a.Str("error") != "invalid_client"
	}},
	{"id_token_hint", []string{"id_token"}, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		// A hint that is taken is not that of spa. Any other one does not count, and the page shows that nobody is signed in.
		return s.Call(t, "GET", "/logout?client_id=spa&id_token_hint="+raw).Do().Status == http.StatusBadRequest
	}},
	{"revocation", []string{"access token", "refresh token"}, func(t *testing.T, s, _ *servertest.Server, raw string) bool {
		s.Log.Drain()
		s.Form(t, "/revoke", "token="+raw).Web().Wants(http.StatusOK, "")
		return !strings.Contains(s.Log.String(), `"outcome":"unknown"`)
	}},
}

// No token passes as one of another kind, wherever tokens are taken. All are signed by the same keys for the same issuer, the same user
// and the same client.
func TestTokensOfOneKindAreTakenNowhereElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	withOpenID(t, s)
	admin := s.ServeAdmin(t, s.AdminWithToken())
	s.SetClient(t, servertest.Other, func(c *store.Client) {
		// Whose public keys are the server's: what the server signs verifies as the client's.
		keys, err := s.Keys.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		c.JWKS, c.AuthMethods = keys.Body, []string{"private_key_jwt"}
	})
	for _, place := range places {
		for _, kind := range token.Kinds {
			raw := tokensOfEveryKind(t, s)[kind.Name] // of a session of its own: a place may end it
			if want, got := slices.Contains(place.takes, kind.Name), place.taken(t, s, admin, raw); got != want {
				t.Errorf("%s at %s: taken: %t, want %t", kind.Name, place.name, got, want)
			}
		}
	}
}

// A verifier that ignores the type of a token finds that its claims are not those of an access token.
func TestTokensThatAreNoAccessTokensLackItsClaims(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	withOpenID(t, s)
	tokens := tokensOfEveryKind(t, s)
	_, access := servertest.DecodeJWT(t, tokens["access token"])
	for _, kind := range token.Kinds {
		if kind.Type == "" {
			continue
		}
		header, claims := servertest.DecodeJWT(t, tokens[kind.Name])
		if header["typ"] != kind.Type {
			t.Errorf("%s: got typ %v, want %s", kind.Name, header["typ"], kind.Type)
		}
		for _, name := range kind.Lacks {
			if _, has := claims[name]; has {
				t.Errorf("%s has the claim %s", kind.Name, name)
			}
			if _, has := access[name]; !has {
				t.Errorf("an access token has no claim %s, so its absence shows nothing", name)
			}
		}
		if kind.Type != token.TypeAccess && (len(kind.Lacks) == 0 || claims["aud"] != servertest.Web) {
			t.Errorf("%s: nothing that it lacks is listed, or its aud is %v", kind.Name, claims["aud"])
		}
	}
}
