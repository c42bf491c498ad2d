package server_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// A client with a key does with an assertion all that one with a secret does with it.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"ES256", "EdDSA", "RS256", "PS256"} {
		t.Run(alg, func(t *testing.T) {
			s := servertest.New(t, nil)
			key := servertest.NewAppKey(t, alg)
			addRobot(t, s, key.JWK(""))
			with := func(path string, params ...string) *servertest.Request {
				return s.Form(t, path, append(params, "client_assertion_type="+servertest.JWTBearer, "client_assertion="+key.Draft(s, robot).Sign())...)
			}
			own := with("/token", "grant_type=client_credentials", "client_id="+robot).Wants(200, "")
			if _, claims := servertest.DecodeJWT(t, own.Str("access_token")); claims["sub"] != robot || claims["client_id"] != robot {
				t.Errorf("claims: got %v", claims)
			}
			session := with("/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).Wants(200, "")
			next := with("/token", "grant_type=refresh_token", "refresh_token="+session.Str("refresh_token")).Wants(200, "")
			if a := with("/introspect", "token="+next.Str("access_token")).Wants(200, ""); a.JSON["active"] != true {
				t.Errorf("introspection: got %s", a.Raw)
			}
			with("/revoke", "token="+next.Str("refresh_token")).Wants(200, "")
			if a := with("/introspect", "token="+next.Str("access_token")).Wants(200, ""); a.JSON["active"] != false {
				t.Errorf("introspection after the revocation: got %s", a.Raw)
			}
			with("/token", "grant_type=refresh_token", "refresh_token="+next.Str("refresh_token")).Wants(400, "invalid_grant")
		})
	}
}

// What an assertion may be and still be good.
func TestAcceptedAssertions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	one, two := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "EdDSA")
	addRobot(t, s, one.JWK(`"kid":"one"`))
	now := s.Clock.Now().Unix()
	for _, c := range []struct {
		name   string
		change func(*servertest.Draft)
	}{
		{"plain", func(d *servertest.Draft) {}},
		{"kid", func(d *servertest.Draft) { d.Header["kid"] = "one" }},
		{"no typ", func(d *servertest.Draft) { delete(d.Header, "typ") }},
		{"its own typ", func(d *servertest.Draft) { d.Header["typ"] = "client-authentication+jwt" }},
		{"typ as a media type", func(d *servertest.Draft) { d.Header["typ"] = "application/Client-Authentication+JWT" }},
		{"typ in small letters", func(d *servertest.Draft) { d.Header["typ"] = "jwt" }},
		{"no iat", func(d *servertest.Draft) { delete(d.Claims, "iat") }},
		{"nbf", func(d *servertest.Draft) { d.Claims["nbf"] = now }},
		{"a clock that is ahead", func(d *servertest.Draft) { d.Claims["nbf"], d.Claims["iat"] = now+30, now+30 }},
		{"five minutes by that clock", func(d *servertest.Draft) { d.Claims["exp"] = now + 330 }},
		{"its last second", func(d *servertest.Draft) { d.Claims["exp"] = float64(now) + 0.5 }},
		{"other claims", func(d *servertest.Draft) {
			d.Claims["htm"], d.Claims["deep"] = "POST", map[string]any{"iss": "somebody"}
		}},
		{"an hour to live", func(d *servertest.Draft) { d.Claims["exp"] = now + 3600 }},
		{"an hour to live, by a clock that is behind", func(d *servertest.Draft) { d.Claims["iat"], d.Claims["exp"] = now-299, now+3301 }},
		{"aud in an array", func(d *servertest.Draft) { d.Claims["aud"] = []string{s.URL} }},
		{"thumbprints of a certificate", func(d *servertest.Draft) { d.Header["x5t"], d.Header["x5t#S256"] = "AAAA", "AAAA" }},
		{"members of somebody's own", func(d *servertest.Draft) { d.Header["x"], d.Header["nonce"] = map[string]any{"alg": "none"}, nil }},
		{"a long jti", func(d *servertest.Draft) { d.Claims["jti"] = strings.Repeat("j", 256) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := one.Draft(s, robot)
			c.change(d)
			s.WithAssertion(t, d.Sign()).Wants(200, "")
		})
	}
	t.Run("while the client changes over", func(t *testing.T) {
		s.SetClient(t, robot, func(c *store.Client) {
			c.JWKS = []byte(servertest.JWKS(one.JWK(`"kid":"one"`), two.JWK(`"kid":"two"`)))
		})
		for kid, key := range map[string]servertest.AppKey{"one": one, "two": two} {
			d := key.Draft(s, robot)
			d.Header["kid"] = kid
			s.WithAssertion(t, d.Sign()).Wants(200, "")
		}
		s.SetClient(t, robot, func(c *store.Client) { c.JWKS = []byte(servertest.JWKS(two.JWK(`"kid":"two"`))) })
		s.Asserted(t, one, robot).Wants(401, "invalid_client")
		s.Asserted(t, two, robot).Wants(200, "")
	})
}

// listener counts who comes.
func listener(t *testing.T) (url string, visits *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	visits = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			conn.Close()
		}
	}()
	return "http://" + l.Addr().String() + "/jwks", visits
}

// macKeys are the forms in which a public key is at hand for one who hopes that it is used as a secret.
func macKeys(t testing.TB, key servertest.AppKey) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": []byte(key.JWK(""))}
}

// Row 124: whatever is wrong with an assertion, the answer is that of row 36, to the byte, and only
// the log names the reason.
func TestRefusedAssertions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle.PerClient = 0 })
	key, stranger, second := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "RS256")
	addRobot(t, s, key.JWK(`"kid":"one"`), second.JWK(`"kid":"two","alg":"RS256"`))
	theirs := servertest.NewAppKey(t, "ES256")
	s.SetClient(t, servertest.Other, func(c *store.Client) {
		c.AuthMethods, c.JWKS = []string{"private_key_jwt"}, []byte(servertest.JWKS(theirs.JWK(`"kid":"theirs"`)))
	})
	now := s.Clock.Now().Unix()
	address, visits := listener(t)
	good := func() *servertest.Draft {
		d := key.Draft(s, robot)
		d.Header["kid"] = "one"
		return d
	}
	changed := func(change func(*servertest.Draft)) string {
		d := good()
		change(d)
		return d.Sign()
	}
	claim := func(name string, value any) string {
		return changed(func(d *servertest.Draft) { d.Claims[name] = value })
	}
	without := func(name string) string { return changed(func(d *servertest.Draft) { delete(d.Claims, name) }) }
	header := func(name string, value any) string {
		return changed(func(d *servertest.Draft) { d.Header[name] = value })
	}
	by := func(k servertest.AppKey, kid string) string {
		return changed(func(d *servertest.Draft) { d.Key, d.Header["kid"] = k, kid })
	}
	plain := good().Sign()
	parts := strings.Split(plain, ".")
	unsigned := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
	}
	spent := good().Sign()
	s.WithAssertion(t, spent).Wants(200, "")

	unknown := s.Form(t, "/token", "grant_type=client_credentials").Basic("nobody", "x").Wants(401, "invalid_client")
	rows := []struct{ name, assertion, cause string }{
		{"spent", spent, "it was used before"},
		{"spent, and its header changed", changedHeader(t, spent), `not by the key "one"`},

		{"aud is the token endpoint", claim("aud", s.URL+"/token"), `aud is the URL of the endpoint, as older libraries have it; it must be the issuer, "` + s.URL + `"`},
		{"aud is the introspection endpoint", claim("aud", s.URL+"/introspect"), "aud is the URL of the endpoint"},
		{"aud with others", claim("aud", []string{s.URL, s.URL + "/token", "https://evil.example"}), "aud is neither a string nor an array of one; it must be the issuer alone"},
		{"aud twice in an array", claim("aud", []string{s.URL, s.URL}), "aud is neither a string nor an array of one"},
		{"aud in an empty array", claim("aud", []string{}), "aud is neither"},
		{"aud in two arrays", claim("aud", [][]string{{s.URL}}), "aud is neither"},
		{"another aud in an array", claim("aud", []string{"https://evil.example"}), `aud is "https://evil.example"`},
		{"the token endpoint in an array", claim("aud", []string{s.URL + "/token"}), "aud is the URL of the endpoint"},
		{"aud with a slash", claim("aud", s.URL+"/"), `aud is "` + s.URL + `/"; it must be the issuer`},
		{"aud in capitals", claim("aud", strings.ToUpper(s.URL)), "it must be the issuer"},
		{"aud of another server", claim("aud", "https://evil.example"), `aud is "https://evil.example"`},
		{"aud null", claim("aud", nil), "aud is neither a string"},
		{"no aud", without("aud"), "aud is missing"},

		{"expired", claim("exp", now-60), "it expired 1m0s ago"},
		{"expired now", claim("exp", now), "it expired 0s ago"},
		{"exp too far", claim("exp", now+3631), "exp lies 1h0m31s ahead; at most 5m0s are accepted, or with an iat 1h0m0s"},
		{"exp too far without iat", changed(func(d *servertest.Draft) { d.Claims["exp"] = now + 331; delete(d.Claims, "iat") }), "exp lies 5m31s ahead; at most 5m0s"},
		{"made five minutes ago", changed(func(d *servertest.Draft) { d.Claims["iat"], d.Claims["exp"] = now-300, now+3300 }), "its iat was 5m0s ago; it is taken for 5m0s"},
		{"made an hour ago", changed(func(d *servertest.Draft) { d.Claims["iat"], d.Claims["exp"] = now-3600, now+60 }), "its iat was 1h0m0s ago"},
		{"iat null", claim("iat", nil), "iat is not a time"},
		{"exp in milliseconds", claim("exp", (now+60)*1000), "exp is not a time in seconds since 1970"},
		{"exp beyond time", claim("exp", 1e300), "exp is not a time"},
		{"exp is text", claim("exp", "2030-01-01"), "exp is not a time"},
		{"exp is a number as text", claim("exp", "99999999999"), "exp is not a time"},
		{"exp null", claim("exp", nil), "exp is not a time"},
		{"exp negative", claim("exp", -1), "exp is not a time"},
		{"no exp", without("exp"), "exp is missing"},
		{"nbf ahead", claim("nbf", now+31), "nbf lies 31s ahead"},
		{"iat ahead", claim("iat", now+31), "iat lies 31s ahead"},
		{"iat is text", claim("iat", "now"), "iat is not a time"},

		{"no jti", without("jti"), "jti must be a string"},
		{"empty jti", claim("jti", ""), "jti must be a string"},
		{"jti is a number", claim("jti", 7), "jti must be a string"},
		{"long jti", claim("jti", strings.Repeat("j", 257)), "jti must be a string of 1 to 256 bytes"},

		{"iss is not sub", claim("iss", servertest.Web), "iss and sub must both be the client_id"},
		{"sub is not iss", claim("sub", servertest.Web), "iss and sub must both be the client_id"},
		{"no iss", without("iss"), "iss and sub"},
		{"no sub", without("sub"), "iss and sub"},
		{"iss and sub are lists", changed(func(d *servertest.Draft) { d.Claims["iss"], d.Claims["sub"] = []string{robot}, []string{robot} }), "iss and sub"},
		{"iss and sub hold a NUL", changed(func(d *servertest.Draft) { d.Claims["iss"], d.Claims["sub"] = "robot\x00", "robot\x00" }), "iss and sub"},
		{"unknown client", changed(func(d *servertest.Draft) { d.Claims["iss"], d.Claims["sub"] = "nobody", "nobody" }), "no such client"},
		{"a client with a secret", changed(func(d *servertest.Draft) { d.Claims["iss"], d.Claims["sub"] = servertest.Web, servertest.Web }), "not registered for private_key_jwt"},
		{"a public client", changed(func(d *servertest.Draft) { d.Claims["iss"], d.Claims["sub"] = servertest.SPA, servertest.SPA }), "a public client sent a client assertion"},

		{"stranger's key", by(stranger, "one"), `not by the key "one"`},
		{"stranger's key, no kid", changed(func(d *servertest.Draft) { d.Key = stranger; delete(d.Header, "kid") }), "its header has no kid, and there are 2 keys"},
		{"kid of no key", header("kid", "three"), `no key of its kid "three"; the kid must be one of "one", "two"`},
		{"kid and key of another client", by(theirs, "theirs"), `no key of its kid "theirs"`},
		{"kid of another key", by(second, "one"), `its alg is RS256; the key "one" is for ES256`},
		{"no kid, several keys", changed(func(d *servertest.Draft) { delete(d.Header, "kid") }), "its header has no kid"},
		{"the key's other algorithm", changed(func(d *servertest.Draft) {
			d.Key, d.Header["kid"] = servertest.AppKey{T: t, Method: jwt.SigningMethodPS256, Private: second.Private}, "two"
		}), `its alg is PS256; the key "two" is for RS256`},
		{"kid is a path", header("kid", "../../../../dev/null"), "no key of its kid"},
		{"kid is an object", header("kid", map[string]any{"$ne": ""}), "kid is not a string"},
		{"kid of 20 KB", header("kid", strings.Repeat("x", 12_000)), "header: it is too long"},

		{"alg none", unsigned(`{"alg":"none"}`), `alg "none" is not one of`},
		{"alg nOnE", unsigned(`{"alg":"nOnE"}`), `alg "nOnE" is not one of`},
		{"signature cut off", parts[0] + "." + parts[1] + ".", "not by the key"},
		{"signature of another", parts[0] + "." + parts[1] + "." + strings.Split(spent, ".")[2], "not by the key"},
		{"padded", plain + "=", "signature is not base64url"},
		{"jku", header("jku", address), `"jku" is not accepted`},
		{"x5u", header("x5u", address), `"x5u" is not accepted`},
		{"jwk", changed(func(d *servertest.Draft) { d.Key = stranger; d.Header["jwk"] = map[string]any{"kty": "EC"} }), `"jwk" is not accepted`},
		{"x5c", header("x5c", []string{"AAAA"}), `"x5c" is not accepted`},
		{"crit", header("crit", []string{"exp"}), `"crit" is not accepted`},
		{"b64", header("b64", false), `"b64" is not accepted`},
		{"cty", header("cty", "JWT"), `"cty" is not accepted`},
		{"alg in another case", header("Alg", "none"), `"Alg" is not accepted`},
		{"kid in another case", header("\u212aid", "two"), "is not accepted"},
		{"jwk in another case", header("JWK", "x"), `"JWK" is not accepted`},
		{"typ of an access token", header("typ", "at+jwt"), `typ "at+jwt" is not that of a client assertion`},
		{"typ of an id_token hint", header("typ", "logout+jwt"), `typ "logout+jwt"`},
		{"typ application/", header("typ", "application/"), `typ "application/"`},
		{"an access token", s.Login(t).Str("access_token"), `typ "at+jwt"`},

		{"20,000 dots", strings.Repeat(".", 20_000), "longer than 16 KiB"},
		{"9,000 dots", strings.Repeat(".", 9_000), "three parts"},
		{"60 KB", strings.Repeat("A", 60_000), "longer than 16 KiB"},
		{"deep claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000))) + "." + parts[2], "iss and sub"},
		{"a refresh token", s.Login(t).Str("refresh_token"), "three parts"},
		{"garbage", "hunter2", "three parts"},
	}
	for form, secret := range macKeys(t, key) {
		d := good()
		d.Header["alg"] = "HS256"
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, d.Claims)
		token.Header = d.Header
		forged, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, struct{ name, assertion, cause string }{"HS256 with the key as " + form, forged, `alg "HS256" is not one of`})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := s.WithAssertion(t, row.assertion).Wants(401, "invalid_client")
			if a.Header.Get("WWW-Authenticate") == "" || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers: got %v", a.Header)
			}
			if a.Raw != unknown.Raw {
				t.Errorf("got %s, want what an unknown client gets, %s", a.Raw, unknown.Raw)
			}
			if cause := lastCause(t, s); !strings.Contains(cause, row.cause) {
				t.Errorf("the log says %q, want it to say %q", cause, row.cause)
			}
			if len(row.assertion) > 40 && strings.Contains(s.Log.String(), row.assertion[len(row.assertion)-40:]) {
				t.Error("the log holds the assertion")
			}
		})
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("somebody called the URL in an assertion's header %d times", n)
	}
	// None of them was spent or did harm: the one whose parts were used above is as good as before.
	s.WithAssertion(t, plain).Wants(200, "")
}

// changedHeader puts another member into the header of a token.
func changedHeader(t *testing.T, token string) string {
	t.Helper()
	header, rest, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "{", `{"x":1,`, 1))) + "." + rest
}

// Rows 40 and 41: one way to authenticate, complete, and about one client. What is refused for its
// form spends nothing.
func TestMalformedAssertionRequests(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	good := key.Draft(s, robot).Sign()
	for _, c := range []struct {
		name   string
		req    *servertest.Request
		status int
		says   string
	}{
		{"assertion without its type", s.Form(t, "/token", "grant_type=client_credentials", "client_assertion="+good), 400, "go together"},
		{"type without an assertion", s.Form(t, "/token", "grant_type=client_credentials", "client_assertion_type="+servertest.JWTBearer, "client_id="+robot), 400, "go together"},
		{"SAML", s.Form(t, "/token", "grant_type=client_credentials", "client_assertion="+good, "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), 400, "must be " + servertest.JWTBearer},
		{"type in capitals", s.Form(t, "/token", "grant_type=client_credentials", "client_assertion="+good, "client_assertion_type="+strings.ToUpper(servertest.JWTBearer)), 400, "must be " + servertest.JWTBearer},
		{"with Basic", s.WithAssertion(t, good).Web(), 400, "not both"},
		{"with an empty Basic", s.WithAssertion(t, good).Set("Authorization", "Basic Og=="), 400, "not both"},
		{"with a secret", s.WithAssertion(t, good, "client_id=web", "client_secret=web-secret"), 400, "not both"},
		{"another client_id", s.WithAssertion(t, good, "client_id=web"), 400, "client_id differs from the sub"},
		{"assertion twice", s.WithAssertion(t, good, "client_assertion="+good), 400, "more than once"},
		{"assertion in the query", s.Call(t, http.MethodPost, "/token?client_assertion_type="+servertest.JWTBearer+"&client_assertion="+good).Raw("grant_type=client_credentials"), 401, "parameters in the URL are not read"},
		{"64 KiB", s.WithAssertion(t, strings.Repeat("A", 64<<10)), 413, "larger than 64 KiB"},
		{"no form", s.WithAssertion(t, good).Set("Content-Type", "application/json"), 400, "send the parameters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.req.T = t
			a := c.req.Do()
			if a.Status != c.status || !strings.Contains(a.Str("error_description"), c.says) {
				t.Errorf("got %d %s, want %d %q", a.Status, a.Raw, c.status, c.says)
			}
		})
	}
	s.WithAssertion(t, good, "client_id="+robot).Wants(200, "")
}

// An assertion that was good is spent, whatever becomes of the request; one that was not, is not.
func TestAssertionIsSpentByAuthenticating(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	good := key.Draft(s, robot).Sign()
	s.WithAssertion(t, good, "scope=nothing").Wants(400, "invalid_scope")
	s.WithAssertion(t, good).Wants(401, "invalid_client")

	s.SetClient(t, robot, func(c *store.Client) { c.Disabled = true })
	waiting := key.Draft(s, robot).Sign()
	s.WithAssertion(t, waiting).Wants(401, "invalid_client")
	if cause := lastCause(t, s); cause != "client is disabled" {
		t.Errorf("the log says %q", cause)
	}
	s.SetClient(t, robot, func(c *store.Client) { c.Disabled = false })
	s.WithAssertion(t, waiting).Wants(200, "")

	// The jti is the client's own: another one may use the same.
	other := servertest.NewAppKey(t, "ES256")
	s.SetClient(t, servertest.Other, func(c *store.Client) {
		c.AuthMethods, c.JWKS = []string{"private_key_jwt"}, []byte(servertest.JWKS(other.JWK("")))
	})
	mine, theirs := key.Draft(s, robot), other.Draft(s, servertest.Other)
	theirs.Claims["jti"] = mine.Claims["jti"]
	s.WithAssertion(t, mine.Sign()).Wants(200, "")
	s.WithAssertion(t, theirs.Sign()).Wants(200, "")
	again := key.Draft(s, robot)
	again.Claims["jti"] = mine.Claims["jti"]
	s.WithAssertion(t, again.Sign()).Wants(401, "invalid_client")
}

// Failed assertions count like wrong secrets, and a good one is never turned away.
func TestAssertionThrottle(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle.PerClient = 3 })
	key, stranger := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	statuses := map[int]int{}
	for range 6 {
		statuses[s.Asserted(t, stranger, robot).Do().Status]++
	}
	if statuses[401] < 3 || statuses[429] < 2 {
		t.Errorf("six forged assertions: got %v", statuses)
	}
	s.Asserted(t, key, robot).Wants(200, "")
	if event := s.AwaitEvent(t, "client_auth"); event.ClientID != robot || !strings.Contains(event.Detail["reason"], "not by the key") {
		t.Errorf("audit: got %+v", event)
	}
}

// The operator finds the reason with the client's name beside it, whatever the fault is.
func TestAssertionFaultsOnTheAuditTrail(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	d := key.Draft(s, robot)
	d.Claims["aud"] = s.URL + "/token"
	s.WithAssertion(t, d.Sign()).Wants(401, "invalid_client")
	e := s.AwaitEvent(t, "client_auth")
	if e.ClientID != robot || e.Outcome != "refused" || !strings.Contains(e.Detail["reason"], "as older libraries have it; it must be the issuer") {
		t.Errorf("audit: got %+v", e)
	}
}
