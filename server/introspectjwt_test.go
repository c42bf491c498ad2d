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
	a := form(t, s, "/introspect", "token="+token).web().set("Accept", signedType).wants(http.StatusOK, "")
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
	tokens := login(t, s)
	for _, kind := range []string{"access_token", "refresh_token"} {
		plain := introspect(t, s, tokens.str(kind))
		s.Clock.Add(time.Second) // so that the answer's iat is not the token's
		header, claims := decodeJWT(t, introspectSigned(t, s, tokens.str(kind)))
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
	tokens := login(t, s)
	form(t, s, "/revoke", "token="+tokens.str("refresh_token")).web().wants(http.StatusOK, "")
	for name, token := range map[string]string{"nonsense": "x", "revoked": tokens.str("access_token"), "revoked refresh token": tokens.str("refresh_token")} {
		if got := rawClaims(t, introspectSigned(t, s, token)); !strings.HasSuffix(got, `,"token_introspection":{"active":false}}`) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// The form of the answer follows Accept; without it, it is what RFC 7662 says. TestWantsSigned has
// the finer points.
func TestIntrospectionFollowsAccept(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	token := login(t, s).str("access_token")
	for _, c := range []struct{ accept, contentType string }{
		{"", "application/json"},
		{"*/*", "application/json"},
		{"text/html", "application/json"},
		{signedType + ";q=0.9, application/json", "application/json"},
		{"Application/Token-Introspection+JWT, */*", signedType},
	} {
		r := form(t, s, "/introspect", "token="+token).web()
		if c.accept != "" {
			r.set("Accept", c.accept)
		}
		a := r.wants(http.StatusOK, "")
		if got := a.Header.Get("Content-Type"); got != c.contentType {
			t.Errorf("Accept %q: got %s, want %s", c.accept, got, c.contentType)
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Accept %q: got Cache-Control %q", c.accept, got)
		}
	}
	two := form(t, s, "/introspect", "token="+token).web()
	two.header["Accept"] = []string{"application/json;q=0.5", signedType}
	if got := two.wants(http.StatusOK, "").Header.Get("Content-Type"); got != signedType {
		t.Errorf("two Accept headers: got %s", got)
	}
	// An error is read by a program that did not get as far as an answer.
	form(t, s, "/introspect").web().set("Accept", signedType).wants(http.StatusBadRequest, "invalid_request")
	form(t, s, "/introspect", "token=x").basic("web", "wrong").set("Accept", signedType).wants(http.StatusUnauthorized, "invalid_client")
	refused := form(t, s, "/introspect", "token=x").basic(servertest.Other, servertest.OtherSecret).set("Accept", signedType).wants(http.StatusForbidden, "unauthorized_client")
	if got := refused.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("an error: got %s", got)
	}
}

// The asking client's own algorithm signs, not the token's.
func TestSignedIntrospectionTakesTheClientsAlgorithm(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	token := login(t, s).str("access_token")
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Alg = "RS256" })
	if header, _ := decodeJWT(t, introspectSigned(t, s, token)); header["alg"] != "RS256" {
		t.Errorf("got alg %v", header["alg"])
	}
	metadata := call(t, s, http.MethodGet, "/.well-known/oauth-authorization-server").wants(http.StatusOK, "")
	if got := metadata.JSON["introspection_signing_alg_values_supported"]; !reflect.DeepEqual(got, []any{"ES256", "RS256"}) {
		t.Errorf("metadata: got algorithms %v", got)
	}
}

// While nothing signs there are no signed answers, and the others go on.
func TestSignedIntrospectionWithoutASigner(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(*server.Config) {})
	token := login(t, s).str("access_token")
	away(v, true)
	unavailable(t, form(t, s, "/introspect", "token="+token).web().set("Accept", signedType))
	if !active(t, s, token) {
		t.Error("an unsigned answer: got active false")
	}
}

// A signed answer has a good signature of this issuer and says whose token it is about. It opens
// nothing (RFC 9701 §8.1).
func TestASignedAnswerIsNoAccessToken(t *testing.T) {
	t.Parallel()
	s, admin, secret := newTokenAdmin(t, nil)
	ops := clientToken(t, s, "ops", secret).wants(http.StatusOK, "").str("access_token")
	user := login(t, s)
	for name, about := range map[string]string{"a user": user.str("access_token"), "an operator": ops} {
		t.Run("about "+name, func(t *testing.T) {
			answer := introspectSigned(t, s, about)
			call(t, s, http.MethodGet, "/userinfo").set("Authorization", "Bearer "+answer).wants(http.StatusUnauthorized, "invalid_token")
			withToken(t, admin, http.MethodGet, "/v1/clients", "", answer).wants(http.StatusUnauthorized, "unauthorized")
			refresh(t, s, answer).wants(http.StatusBadRequest, "invalid_grant")
			if active(t, s, answer) {
				t.Error("introspection takes its own answer for a token")
			}
			form(t, s, "/revoke", "token="+answer).web().wants(http.StatusOK, "")
			if !active(t, s, about) {
				t.Error("to revoke the answer was to revoke the token that it is about")
			}
			// What a verifier that looks at neither typ nor exp would go by.
			_, claims := decodeJWT(t, answer)
			if got, want := slices.Sorted(maps.Keys(claims)), []string{"aud", "iat", "iss", "token_introspection"}; !slices.Equal(got, want) {
				t.Errorf("got the claims %q, want %q", got, want)
			}
		})
	}
}

// A user's own claim must not make an access token look like a signed answer.
func TestNoClaimStandsInForASignedAnswer(t *testing.T) {
	t.Parallel()
	s, admin := newAdmin(t, nil)
	body := `{"username":"eve","claims":{"token_introspection":{"active":true}}}`
	adminCall(t, admin, http.MethodPost, "/v1/users", body).wants(http.StatusBadRequest, "invalid").wantsMessage(t, "meaning of its own")
	_, err := s.Store.UpdateUser(t.Context(), s.UserID, func(u *store.User) error { // as an import may bring it
		u.Claims["token_introspection"] = json.RawMessage(`{"active":true}`)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Claims = []string{"token_introspection", "roles"} })
	if _, claims := decodeJWT(t, login(t, s).str("access_token")); claims["token_introspection"] != nil || claims["roles"] == nil {
		t.Errorf("got claims %v", claims)
	}
}

// A service that may ask for itself alone learns nothing of tokens for others (RFC 9701 §5).
func TestIntrospectionForSomeServices(t *testing.T) {
	t.Parallel()
	const orders, billing = "https://orders.example", "https://billing.example"
	s := servertest.New(t, func(cfg *server.Config) { cfg.Audience = []string{orders, billing} })
	both, one := login(t, s), login(t, s, "resource="+billing)
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
			if !active(t, s, both.str("access_token")) {
				t.Error("a token for both services: got active false")
			}
			if got := active(t, s, one.str("access_token")); got != c.one {
				t.Errorf("a token for billing: got active %t, want %t", got, c.one)
			}
			signed := rawClaims(t, introspectSigned(t, s, one.str("access_token")))
			if got := !strings.Contains(signed, `{"active":false}`); got != c.one {
				t.Errorf("a token for billing, signed: got %s", signed)
			}
			if !active(t, s, one.str("refresh_token")) {
				t.Error("the client's own refresh token: got active false")
			}
		})
	}
}
