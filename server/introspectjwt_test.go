package server_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

const signedType = "application/token-introspection+jwt"

// introspectSigned asks for a signed answer and returns the JWT, whose signature is good.
func introspectSigned(t testing.TB, s *servertest.Server, token string) string {
	t.Helper()
	a := s.Form(t, "/introspect", "token="+token).Web().Set("Accept", signedType).Wants(http.StatusOK, "")
	if got := a.Header.Get("Content-Type"); got != signedType {
		t.Fatalf("Content-Type: got %q, want %q\n%s", got, signedType, a.Raw)
	}
	if _, err := s.Config.Keys.Verify(a.Raw, "token-introspection+jwt", &struct{}{}); err != nil {
		t.Fatalf("the answer %s: %v", a.Raw, err)
	}
	return a.Raw
}

// rawClaims is the payload as it was written.
func rawClaims(t testing.TB, jwt string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(jwt, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// What is said of a token is the same in both forms, and stands where no library looks for the
// claims of an access token (RFC 9701 §5).
func TestSignedIntrospection(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	tokens := s.Login(t)
	for _, kind := range []string{"access_token", "refresh_token"} {
		plain := s.Introspect(t, tokens.Str(kind))
		s.Clock.Add(time.Second) // so that the answer's iat is not the token's
		header, claims := servertest.DecodeJWT(t, introspectSigned(t, s, tokens.Str(kind)))
		if header["typ"] != "token-introspection+jwt" || header["alg"] != "ES256" || header["kid"] == "" || len(header) != 3 {
			t.Errorf("%s: got header %v", kind, header)
		}
		want := map[string]any{"iss": s.URL, "aud": servertest.Web, "iat": float64(s.Clock.Now().Unix()), "token_introspection": any(plain.JSON)}
		if !reflect.DeepEqual(claims, want) {
			t.Errorf("%s: got claims %v, want %v", kind, claims, want)
		}
		if plain.JSON["active"] != true || plain.JSON["sub"] != s.UserID.String() {
			t.Errorf("%s: got %s", kind, plain.Raw)
		}
	}
	if n := strings.Count(s.Log.String(), `"outcome":"active"`); n != 4 {
		t.Errorf("the log has %d active answers, want 4", n)
	}
}

// Of a token that is not live nothing is told, not even with a signature.
func TestSignedIntrospectionOfADeadToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	tokens := s.Login(t)
	s.Form(t, "/revoke", "token="+tokens.Str("refresh_token")).Web().Wants(http.StatusOK, "")
	for name, token := range map[string]string{"nonsense": "x", "revoked": tokens.Str("access_token"), "revoked refresh token": tokens.Str("refresh_token")} {
		if got := rawClaims(t, introspectSigned(t, s, token)); !strings.HasSuffix(got, `,"token_introspection":{"active":false}}`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// The form of the answer follows Accept; without it, it is that of RFC 7662. TestWantsSigned has
// the finer points.
func TestIntrospectionFollowsAccept(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	token := s.Login(t).Str("access_token")
	for _, c := range []struct{ accept, contentType string }{
		{"", "application/json"},
		{"*/*", "application/json"},
		{"text/html", "application/json"},
		{signedType + ";q=0.9, application/json", "application/json"},
		{"Application/Token-Introspection+JWT, */*", signedType},
	} {
		r := s.Form(t, "/introspect", "token="+token).Web()
		if c.accept != "" {
			r.Set("Accept", c.accept)
		}
		a := r.Wants(http.StatusOK, "")
		if got := a.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("Accept %q: got %s, want %s", c.accept, got, c.contentType)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Accept %q: got Cache-Control %q", c.accept, got)
		}
	}
	two := s.Form(t, "/introspect", "token="+token).Web()
	two.Header["Accept"] = []string{"application/json;q=0.5", signedType}
	if got := two.Wants(http.StatusOK, "").Header.Get("Content-Type"); got != signedType {
		t.Errorf("two Accept headers: got %s", got)
	}
	// An error is read by a program that did not get as far as an answer.
	s.Form(t, "/introspect").Web().Set("Accept", signedType).Wants(http.StatusBadRequest, "invalid_request")
	s.Form(t, "/introspect", "token=x").Basic("web", "wrong").Set("Accept", signedType).Wants(http.StatusUnauthorized, "invalid_client")
	refused := s.Form(t, "/introspect", "token=x").Basic(servertest.Other, servertest.OtherSecret).Set("Accept", signedType).Wants(http.StatusForbidden, "unauthorized_client")
	if got := refused.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("an error: got %s", got)
	}
}

// The asking client's own algorithm signs, not the token's.
func TestSignedIntrospectionTakesTheClientsAlgorithm(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	token := s.Login(t).Str("access_token")
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Alg = "RS256" })
	if header, _ := servertest.DecodeJWT(t, introspectSigned(t, s, token)); header["alg"] != "RS256" {
		t.Errorf("got alg %v", header["alg"])
	}
	metadata := s.Call(t, http.MethodGet, "/.well-known/oauth-authorization-server").Wants(http.StatusOK, "")
	if got := metadata.JSON["introspection_signing_alg_values_supported"]; !reflect.DeepEqual(got, []any{"ES256", "RS256"}) {
		t.Errorf("metadata: got algorithms %v", got)
	}
}

// While nothing signs there are no signed answers, and the others go on.
func TestSignedIntrospectionWithoutASigner(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(*server.Config) {})
	token := s.Login(t).Str("access_token")
	away(v, true)
	unavailable(t, s.Form(t, "/introspect", "token="+token).Web().Set("Accept", signedType))
	if !s.Active(t, token) {
		t.Error("an unsigned answer: got active false")
	}
}

// A signed answer has a good signature of this issuer and names the service that asked. It opens
// nothing (RFC 9701 §8.1).
func TestASignedAnswerIsNoAccessToken(t *testing.T) {
	t.Parallel()
	s, admin, secret := servertest.NewTokenAdmin(t, nil)
	ops := s.ClientToken(t, "ops", secret).Wants(http.StatusOK, "").Str("access_token")
	user := s.Login(t)
	for name, about := range map[string]string{"a user": user.Str("access_token"), "an operator": ops} {
		t.Run("about "+name, func(t *testing.T) {
			answer := introspectSigned(t, s, about)
			s.Userinfo(t, answer).Wants(http.StatusUnauthorized, "invalid_token")
			admin.CallJSON(t, http.MethodGet, "/v1/clients", "").Bearer(answer).Wants(http.StatusUnauthorized, "unauthorized")
			s.Refresh(t, answer).Wants(http.StatusBadRequest, "invalid_grant")
			if s.Active(t, answer) {
				t.Error("introspection takes its own answer for a token")
			}
			s.Form(t, "/revoke", "token="+answer).Web().Wants(http.StatusOK, "")
			if !s.Active(t, about) {
				t.Error("to revoke the answer was to revoke the token that it is about")
			}
			// What a verifier that looks at neither typ nor exp would go by.
			_, claims := servertest.DecodeJWT(t, answer)
			if got, want := slices.Sorted(maps.Keys(claims)), []string{"aud", "iat", "iss", "token_introspection"}; !slices.Equal(got, want) {
				t.Errorf("got the claims %q, want %q", got, want)
			}
		})
	}
}

// A user's own claim must not make an access token look like a signed answer.
func TestNoClaimStandsInForASignedAnswer(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	body := `{"username":"eve","claims":{"token_introspection":{"active":true}}}`
	admin.CallJSON(t, http.MethodPost, "/v1/users", body).Wants(http.StatusBadRequest, "invalid").WantsMessage(t, "meaning of its own")
	_, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { // as an import may bring it
		u.Claims["token_introspection"] = json.RawMessage(`{"active":true}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Claims = []string{"token_introspection", "roles"} })
	if _, claims := servertest.DecodeJWT(t, s.Login(t).Str("access_token")); claims["token_introspection"] != nil || claims["roles"] == nil {
		t.Errorf("got claims %v", claims)
	}
}

// A service that may ask for itself alone learns nothing of tokens for others (RFC 9701 §5).
func TestIntrospectionForSomeServices(t *testing.T) {
	t.Parallel()
	const orders, billing = "https://orders.example", "https://billing.example"
	s := servertest.New(t, func(cfg *server.Config) { cfg.Audience = []string{orders, billing} })
	both, one := s.Login(t), s.Login(t, "resource="+billing)
	for _, c := range []struct {
		name  string
		mayBe []string
		one   bool
	}{
		{"any", nil, true},
		{"orders", []string{orders}, false},
		{"billing", []string{billing}, true},
		{"a gateway's three", []string{"https://mail.example", billing, orders}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.SetClient(t, servertest.Web, func(w *store.Client) { w.IntrospectFor = c.mayBe })
			if !s.Active(t, both.Str("access_token")) {
				t.Error("a token for both services: got active false")
			}
			if got := s.Active(t, one.Str("access_token")); got != c.one {
				t.Errorf("a token for billing: got active %t, want %t", got, c.one)
			}
			signed := rawClaims(t, introspectSigned(t, s, one.Str("access_token")))
			if got := !strings.Contains(signed, `{"active":false}`); got != c.one {
				t.Errorf("a token for billing, signed: got %s", signed)
			}
			if !s.Active(t, one.Str("refresh_token")) {
				t.Error("the client's own refresh token: got active false")
			}
		})
	}
}
