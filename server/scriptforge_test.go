package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"signet/server/servertest"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// forge makes what an attacker could of an access token that was kept: "forge VARIABLE KIND TOKEN ARGUMENTS…".
func (sc *script) forge(args []string) string {
	kind, token, args := args[0], args[1], args[2:]
	parts := strings.Split(token, ".")
	header, claims := servertest.DecodeJWT(sc, token)
	switch kind {
	case "alg": // as it is, but for the alg, and unsigned
		header["alg"] = args[0]
		return segment(header) + "." + parts[1] + "."
	case "hs256": // signed with the public key as if it were a secret
		header["alg"] = "HS256"
		unsigned := segment(header) + "." + parts[1]
		mac := hmac.New(sha256.New, sc.publicKey(args[0]))
		mac.Write([]byte(unsigned))
		return unsigned + "." + b64(mac.Sum(nil))
	case "kid", "header": // another kid, or a member that is not ours; signed by a stranger
		name, value := "kid", args[len(args)-1]
		if kind == "header" {
			name = args[0]
		}
		header[name] = sc.evil(value)
		return sc.signedByStranger(segment(header) + "." + parts[1])
	case "stranger":
		return sc.signedByStranger(parts[0] + "." + parts[1])
	case "claim": // really signed, as another product of the same keys would be
		claims[args[0]] = strings.Join(args[1:], " ")
		return sc.sign("at+jwt", claims)
	case "typ":
		return sc.sign(args[0], claims)
	case "claims": // a payload of many bytes
		return parts[0] + "." + strings.Repeat("A", sc.number(args[0])) + "." + parts[2]
	case "nested": // JSON of that depth
		deep := strings.Repeat("[", sc.number(args[0])) + strings.Repeat("]", sc.number(args[0]))
		return b64([]byte(deep)) + "." + b64([]byte(deep)) + "." + parts[2]
	case "json": // JWS JSON serialisation (RFC 7515 §7.2)
		return fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, parts[1], parts[0], parts[2])
	case "jwe": // RFC 7516 compact form, with a count to keep PBES2 busy for ever
		return segment(map[string]any{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2000000000, "p2s": "AAAA"}) + ".AAAA.AAAA.AAAA.AAAA"
	case "spare": // the same bytes by another spelling: a bit that base64url leaves over
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(digits, token[len(token)-1])
		return token[:len(token)-1] + digits[last^1:last^1+1]
	}
	sc.Fatalf("there is no forgery %s", kind)
	return ""
}

// evil is what stands in a header that a careless verifier would act on.
func (sc *script) evil(name string) any {
	switch name {
	case "path":
		return "../../../../../../etc/passwd"
	case "sql":
		return "x' UNION SELECT 'secret' --"
	case "nul":
		return "a\x00b"
	case "object":
		return map[string]any{"$ne": nil}
	case "array":
		return []string{"a", "b"}
	case "number":
		return 7
	case "long":
		return strings.Repeat("k", 20_000)
	case "url":
		return sc.trap() + "/jwks.json"
	case "chain":
		return []string{b64([]byte("certificate"))}
	case "key":
		return json.RawMessage(sc.stranger().JWK(""))
	case "unheard-of":
		return []string{"unheard-of"}
	case "false":
		return false
	}
	sc.Fatalf("there is no hostile value %s", name)
	return nil
}

// sign signs the claims with Signet's own key.
func (sc *script) sign(typ string, claims map[string]any) string {
	token, _, err := sc.stage.Keys.Sign(sc.Context(), "", typ, claims)
	if err != nil {
		sc.Fatalf("%v", err)
	}
	return token
}

// stranger is a key that no client has registered, the same for the whole section.
func (sc *script) stranger() servertest.AppKey {
	if sc.strangerKey.Private == nil {
		sc.strangerKey = servertest.NewAppKey(sc, "ES256")
	}
	return sc.strangerKey
}

func (sc *script) signedByStranger(unsigned string) string {
	signature, err := jwt.SigningMethodES256.Sign(unsigned, sc.stranger().Private)
	if err != nil {
		sc.Fatalf("%v", err)
	}
	return unsigned + "." + b64(signature)
}

// signingKey is the key set's first entry.
func (sc *script) signingKey() (key map[string]any, kid string) {
	a := sc.stage.Server.Call(sc, "GET", "/.well-known/jwks.json").Do()
	key, _ = a.JSON["keys"].([]any)[0].(map[string]any)
	return key, key["kid"].(string)
}

// publicKey is Signet's signing key in a spelling that an attacker may use as an HMAC secret.
func (sc *script) publicKey(spelling string) []byte {
	key, _ := sc.signingKey()
	raw, _ := json.Marshal(key)
	var public jose.JSONWebKey
	if err := public.UnmarshalJSON(raw); err != nil {
		sc.Fatalf("%v", err)
	}
	if spelling == "jwk" {
		return raw
	}
	der, err := x509.MarshalPKIXPublicKey(public.Key)
	if err != nil {
		sc.Fatalf("%v", err)
	}
	if spelling == "der" {
		return der
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// trap is a server on loopback that must get no connection.
func (sc *script) trap() string {
	if sc.trapped == nil {
		sc.trapped = new(atomic.Int64)
		count := sc.trapped
		web := httptest.NewUnstartedServer(http.NotFoundHandler())
		web.Config.ConnState = func(net.Conn, http.ConnState) { count.Add(1) }
		web.Start()
		sc.Cleanup(web.Close)
		sc.trapURL = web.URL
	}
	return sc.trapURL
}

// wantUntouched: the trap got no connection.
func (sc *script) wantUntouched([]string) {
	if sc.trapped == nil {
		sc.Fatalf("there is no trap in this section")
	}
	if n := sc.trapped.Load(); n != 0 {
		sc.Errorf("it was asked %d times", n)
	}
}

func segment(value any) string {
	raw, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return b64(raw)
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }
