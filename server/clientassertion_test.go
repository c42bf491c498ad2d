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
			key := newAppKey(t, alg)
			addRobot(t, s, key.jwk(""))
			with := func(path string, params ...string) *request {
				return form(t, s, path, append(params, "client_assertion_type="+jwtBearer, "client_assertion="+key.draft(s, robot).sign())...)
			}
			own := with("/token", "grant_type=client_credentials", "client_id="+robot).wants(200, "")
			if _, claims := decodeJWT(t, own.str("access_token")); claims["sub"] != robot || claims["client_id"] != robot {
				t.Errorf("claims: got %v", claims)
			}
			session := with("/token", "grant_type=password", "username="+servertest.User, "password="+servertest.Password).wants(200, "")
			next := with("/token", "grant_type=refresh_token", "refresh_token="+session.str("refresh_token")).wants(200, "")
			if a := with("/introspect", "token="+next.str("access_token")).wants(200, ""); a.JSON["active"] != true {
				t.Errorf("introspection: got %s", a.Raw)
			}
			with("/revoke", "token="+next.str("refresh_token")).wants(200, "")
			if a := with("/introspect", "token="+next.str("access_token")).wants(200, ""); a.JSON["active"] != false {
				t.Errorf("introspection after the revocation: got %s", a.Raw)
			}
			with("/token", "grant_type=refresh_token", "refresh_token="+next.str("refresh_token")).wants(400, "invalid_grant")
		})
	}
}

// What an assertion may be and still be good.
func TestAcceptedAssertions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	one, two := newAppKey(t, "ES256"), newAppKey(t, "EdDSA")
	addRobot(t, s, one.jwk(`"kid":"one"`))
	now := s.Clock.Now().Unix()
	for _, c := range []struct {
		name   string
		change func(*draft)
	}{
		{"plain", func(d *draft) {}},
		{"kid", func(d *draft) { d.header["kid"] = "one" }},
		{"no typ", func(d *draft) { delete(d.header, "typ") }},
		{"its own typ", func(d *draft) { d.header["typ"] = "client-authentication+jwt" }},
		{"typ as a media type", func(d *draft) { d.header["typ"] = "application/Client-Authentication+JWT" }},
		{"typ in small letters", func(d *draft) { d.header["typ"] = "jwt" }},
		{"no iat", func(d *draft) { delete(d.claims, "iat") }},
		{"nbf", func(d *draft) { d.claims["nbf"] = now }},
		{"a clock that is ahead", func(d *draft) { d.claims["nbf"], d.claims["iat"] = now+30, now+30 }},
		{"five minutes by that clock", func(d *draft) { d.claims["exp"] = now + 330 }},
		{"its last second", func(d *draft) { d.claims["exp"] = float64(now) + 0.5 }},
		{"other claims", func(d *draft) { d.claims["htm"], d.claims["deep"] = "POST", map[string]any{"iss": "somebody"} }},
		{"an hour to live", func(d *draft) { d.claims["exp"] = now + 3600 }},
		{"an hour to live, by a clock that is behind", func(d *draft) { d.claims["iat"], d.claims["exp"] = now-299, now+3301 }},
		{"aud in an array", func(d *draft) { d.claims["aud"] = []string{s.URL} }},
		{"thumbprints of a certificate", func(d *draft) { d.header["x5t"], d.header["x5t#S256"] = "AAAA", "AAAA" }},
		{"members of somebody's own", func(d *draft) { d.header["x"], d.header["nonce"] = map[string]any{"alg": "none"}, nil }},
		{"a long jti", func(d *draft) { d.claims["jti"] = strings.Repeat("j", 256) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := one.draft(s, robot)
			c.change(d)
			withAssertion(t, s, d.sign()).wants(200, "")
		})
	}
	t.Run("while the client changes over", func(t *testing.T) {
		s.SetClient(t, robot, func(c *store.Client) {
			c.JWKS = []byte(jwks(one.jwk(`"kid":"one"`), two.jwk(`"kid":"two"`)))
		})
		for kid, key := range map[string]appKey{"one": one, "two": two} {
			d := key.draft(s, robot)
			d.header["kid"] = kid
			withAssertion(t, s, d.sign()).wants(200, "")
		}
		s.SetClient(t, robot, func(c *store.Client) { c.JWKS = []byte(jwks(two.jwk(`"kid":"two"`))) })
		asserted(t, s, one, robot).wants(401, "invalid_client")
		asserted(t, s, two, robot).wants(200, "")
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
func macKeys(t testing.TB, key appKey) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"PEM": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), "DER": der, "JWK": []byte(key.jwk(""))}
}

// Row 124: whatever is wrong with an assertion, the answer is that of row 36, to the byte, and only
// the log says which it was.
func TestRefusedAssertions(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle.PerClient = 0 })
	key, stranger, second := newAppKey(t, "ES256"), newAppKey(t, "ES256"), newAppKey(t, "RS256")
	addRobot(t, s, key.jwk(`"kid":"one"`), second.jwk(`"kid":"two","alg":"RS256"`))
	theirs := newAppKey(t, "ES256")
	s.SetClient(t, servertest.Other, func(c *store.Client) {
		c.AuthMethods, c.JWKS = []string{"private_key_jwt"}, []byte(jwks(theirs.jwk(`"kid":"theirs"`)))
	})
	now := s.Clock.Now().Unix()
	address, visits := listener(t)
	good := func() *draft {
		d := key.draft(s, robot)
		d.header["kid"] = "one"
		return d
	}
	changed := func(change func(*draft)) string {
		d := good()
		change(d)
		return d.sign()
	}
	claim := func(name string, value any) string { return changed(func(d *draft) { d.claims[name] = value }) }
	without := func(name string) string { return changed(func(d *draft) { delete(d.claims, name) }) }
	header := func(name string, value any) string { return changed(func(d *draft) { d.header[name] = value }) }
	by := func(k appKey, kid string) string { return changed(func(d *draft) { d.key, d.header["kid"] = k, kid }) }
	plain := good().sign()
	parts := strings.Split(plain, ".")
	unsigned := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "."
	}
	spent := good().sign()
	withAssertion(t, s, spent).wants(200, "")

	unknown := form(t, s, "/token", "grant_type=client_credentials").basic("nobody", "x").wants(401, "invalid_client")
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
		{"exp too far without iat", changed(func(d *draft) { d.claims["exp"] = now + 331; delete(d.claims, "iat") }), "exp lies 5m31s ahead; at most 5m0s"},
		{"made five minutes ago", changed(func(d *draft) { d.claims["iat"], d.claims["exp"] = now-300, now+3300 }), "its iat was 5m0s ago; it is taken for 5m0s"},
		{"made an hour ago", changed(func(d *draft) { d.claims["iat"], d.claims["exp"] = now-3600, now+60 }), "its iat was 1h0m0s ago"},
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
		{"iss and sub are lists", changed(func(d *draft) { d.claims["iss"], d.claims["sub"] = []string{robot}, []string{robot} }), "iss and sub"},
		{"iss and sub hold a NUL", changed(func(d *draft) { d.claims["iss"], d.claims["sub"] = "robot\x00", "robot\x00" }), "iss and sub"},
		{"unknown client", changed(func(d *draft) { d.claims["iss"], d.claims["sub"] = "nobody", "nobody" }), "no such client"},
		{"a client with a secret", changed(func(d *draft) { d.claims["iss"], d.claims["sub"] = servertest.Web, servertest.Web }), "not registered for private_key_jwt"},
		{"a public client", changed(func(d *draft) { d.claims["iss"], d.claims["sub"] = servertest.SPA, servertest.SPA }), "a public client sent a client assertion"},

		{"stranger's key", by(stranger, "one"), `not by the key "one"`},
		{"stranger's key, no kid", changed(func(d *draft) { d.key = stranger; delete(d.header, "kid") }), "its header has no kid, and there are 2 keys"},
		{"kid of no key", header("kid", "three"), `no key of its kid "three"; the kid must be one of "one", "two"`},
		{"kid and key of another client", by(theirs, "theirs"), `no key of its kid "theirs"`},
		{"kid of another key", by(second, "one"), `its alg is RS256; the key "one" is for ES256`},
		{"no kid, several keys", changed(func(d *draft) { delete(d.header, "kid") }), "its header has no kid"},
		{"the key's other algorithm", changed(func(d *draft) { d.key, d.header["kid"] = appKey{t, jwt.SigningMethodPS256, second.private}, "two" }), `its alg is PS256; the key "two" is for RS256`},
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
		{"jwk", changed(func(d *draft) { d.key = stranger; d.header["jwk"] = map[string]any{"kty": "EC"} }), `"jwk" is not accepted`},
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
		{"an access token", login(t, s).str("access_token"), `typ "at+jwt"`},

		{"20,000 dots", strings.Repeat(".", 20_000), "longer than 16 KiB"},
		{"9,000 dots", strings.Repeat(".", 9_000), "three parts"},
		{"60 KB", strings.Repeat("A", 60_000), "longer than 16 KiB"},
		{"deep claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000))) + "." + parts[2], "iss and sub"},
		{"a refresh token", login(t, s).str("refresh_token"), "three parts"},
		{"garbage", "hunter2", "three parts"},
	}
	for form, secret := range macKeys(t, key) {
		d := good()
		d.header["alg"] = "HS256"
		token := jwt.NewWithClaims(jwt.SigningMethodHS256, d.claims)
		token.Header = d.header
		forged, err := token.SignedString(secret)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, struct{ name, assertion, cause string }{"HS256 with the key as " + form, forged, `alg "HS256" is not one of`})
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := withAssertion(t, s, row.assertion).wants(401, "invalid_client")
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
	withAssertion(t, s, plain).wants(200, "")
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
	key := newAppKey(t, "ES256")
	addRobot(t, s, key.jwk(""))
	good := key.draft(s, robot).sign()
	for _, c := range []struct {
		name   string
		req    *request
		status int
		says   string
	}{
		{"assertion without its type", form(t, s, "/token", "grant_type=client_credentials", "client_assertion="+good), 400, "go together"},
		{"type without an assertion", form(t, s, "/token", "grant_type=client_credentials", "client_assertion_type="+jwtBearer, "client_id="+robot), 400, "go together"},
		{"SAML", form(t, s, "/token", "grant_type=client_credentials", "client_assertion="+good, "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:saml2-bearer"), 400, "must be " + jwtBearer},
		{"type in capitals", form(t, s, "/token", "grant_type=client_credentials", "client_assertion="+good, "client_assertion_type="+strings.ToUpper(jwtBearer)), 400, "must be " + jwtBearer},
		{"with Basic", withAssertion(t, s, good).web(), 400, "not both"},
		{"with an empty Basic", withAssertion(t, s, good).set("Authorization", "Basic Og=="), 400, "not both"},
		{"with a secret", withAssertion(t, s, good, "client_id=web", "client_secret=web-secret"), 400, "not both"},
		{"another client_id", withAssertion(t, s, good, "client_id=web"), 400, "client_id differs from the sub"},
		{"assertion twice", withAssertion(t, s, good, "client_assertion="+good), 400, "more than once"},
		{"assertion in the query", call(t, s, http.MethodPost, "/token?client_assertion_type="+jwtBearer+"&client_assertion="+good).raw("grant_type=client_credentials"), 401, "parameters in the URL are not read"},
		{"64 KiB", withAssertion(t, s, strings.Repeat("A", 64<<10)), 413, "larger than 64 KiB"},
		{"no form", withAssertion(t, s, good).set("Content-Type", "application/json"), 400, "send the parameters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.req.t = t
			a := c.req.do()
			if a.Status != c.status || !strings.Contains(a.str("error_description"), c.says) {
				t.Errorf("got %d %s, want %d %q", a.Status, a.Raw, c.status, c.says)
			}
		})
	}
	withAssertion(t, s, good, "client_id="+robot).wants(200, "")
}

// An assertion that was good is spent, whatever becomes of the request; one that was not, is not.
func TestAssertionIsSpentByAuthenticating(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := newAppKey(t, "ES256")
	addRobot(t, s, key.jwk(""))
	good := key.draft(s, robot).sign()
	withAssertion(t, s, good, "scope=nothing").wants(400, "invalid_scope")
	withAssertion(t, s, good).wants(401, "invalid_client")

	s.SetClient(t, robot, func(c *store.Client) { c.Disabled = true })
	waiting := key.draft(s, robot).sign()
	withAssertion(t, s, waiting).wants(401, "invalid_client")
	if cause := lastCause(t, s); cause != "client is disabled" {
		t.Errorf("the log says %q", cause)
	}
	s.SetClient(t, robot, func(c *store.Client) { c.Disabled = false })
	withAssertion(t, s, waiting).wants(200, "")

	// The jti is the client's own: another one may use the same.
	other := newAppKey(t, "ES256")
	s.SetClient(t, servertest.Other, func(c *store.Client) {
		c.AuthMethods, c.JWKS = []string{"private_key_jwt"}, []byte(jwks(other.jwk("")))
	})
	mine, theirs := key.draft(s, robot), other.draft(s, servertest.Other)
	theirs.claims["jti"] = mine.claims["jti"]
	withAssertion(t, s, mine.sign()).wants(200, "")
	withAssertion(t, s, theirs.sign()).wants(200, "")
	again := key.draft(s, robot)
	again.claims["jti"] = mine.claims["jti"]
	withAssertion(t, s, again.sign()).wants(401, "invalid_client")
}

// Failed assertions count like wrong secrets, and a good one is never turned away.
func TestAssertionThrottle(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Throttle.PerClient = 3 })
	key, stranger := newAppKey(t, "ES256"), newAppKey(t, "ES256")
	addRobot(t, s, key.jwk(""))
	statuses := map[int]int{}
	for range 6 {
		statuses[asserted(t, s, stranger, robot).do().Status]++
	}
	if statuses[401] < 3 || statuses[429] < 2 {
		t.Errorf("six forged assertions: got %v", statuses)
	}
	asserted(t, s, key, robot).wants(200, "")
	if event := trail(t, s, "client_auth"); event.ClientID != robot || !strings.Contains(event.Detail["reason"], "not by the key") {
		t.Errorf("audit: got %+v", event)
	}
}

// The operator finds the reason with the client's name beside it, whatever the fault is.
func TestAssertionFaultsOnTheAuditTrail(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, nil)
	key := newAppKey(t, "ES256")
	addRobot(t, s, key.jwk(""))
	d := key.draft(s, robot)
	d.claims["aud"] = s.URL + "/token"
	withAssertion(t, s, d.sign()).wants(401, "invalid_client")
	e := trail(t, s, "client_auth")
	if e.ClientID != robot || e.Outcome != "refused" || !strings.Contains(e.Detail["reason"], "as older libraries have it; it must be the issuer") {
		t.Errorf("audit: got %+v", e)
	}
}
