package jose

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"signet/keys/secret"
)

// sealed joins a header and claims to a token and has it signed; a nil sign leaves the signature out.
func sealed(header, claims string, sign func(input string) []byte) string {
	input := base64url([]byte(header)) + "." + base64url([]byte(claims))
	if sign == nil {
		return input + "."
	}
	return input + "." + base64url(sign(input))
}

func signer(t testing.TB, alg string, key crypto.PrivateKey) func(string) []byte {
	return func(input string) []byte {
		t.Helper()
		signature, err := methodOf(alg).Sign(input, key)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
}

func mac(secret []byte) func(string) []byte {
	return func(input string) []byte {
		m := hmac.New(sha256.New, secret)
		m.Write([]byte(input))
		return m.Sum(nil)
	}
}

func verifyForeign(set *PublicSet, token string) error {
	j, err := ParseJWS(token)
	if err != nil {
		return err
	}
	return set.Verify(j)
}

func TestVerifyForeign(t *testing.T) {
	k := foreignKeys()
	one := mustSet(t, setOf(jwkOf(t, k.ec, `"kid":"one"`)))
	all := mustSet(t, setOf(jwkOf(t, k.ec, `"kid":"e"`), jwkOf(t, k.ec2, `"kid":"e2"`), jwkOf(t, k.ed, `"kid":"o"`), jwkOf(t, k.rsa, `"kid":"r"`)))
	pss := mustSet(t, setOf(jwkOf(t, k.rsa, `"kid":"r","alg":"PS256"`)))
	ec, ec2, ed := signer(t, ES256, k.ec), signer(t, ES256, k.ec2), signer(t, EdDSA, k.ed)
	rs, ps := signer(t, RS256, k.rsa), signer(t, PS256, k.rsa)
	der, err := x509.MarshalPKIXPublicKey(k.ec.Public())
	if err != nil {
		t.Fatal(err)
	}
	const claims = `{"iss":"me"}`
	good := sealed(`{"alg":"ES256"}`, claims, ec)
	for _, c := range []struct {
		name  string
		set   *PublicSet
		token string
		want  string // a part of the error; empty: it is good
	}{
		{"no kid, one key", one, good, ""},
		{"kid", one, sealed(`{"alg":"ES256","kid":"one","typ":"JWT"}`, claims, ec), ""},
		{"one of several", all, sealed(`{"alg":"ES256","kid":"e2"}`, claims, ec2), ""},
		{"EdDSA", all, sealed(`{"alg":"EdDSA","kid":"o"}`, claims, ed), ""},
		{"Ed25519", all, sealed(`{"alg":"Ed25519","kid":"o"}`, claims, ed), ""},
		{"RS256", all, sealed(`{"alg":"RS256","kid":"r"}`, claims, rs), ""},
		{"PS256", all, sealed(`{"alg":"PS256","kid":"r"}`, claims, ps), ""},
		{"pinned to PS256", pss, sealed(`{"alg":"PS256","kid":"r"}`, claims, ps), ""},

		{"nobody's keys", nil, good, "there are no keys"},
		{"no kid, several keys", all, good, `has no kid, and there are 4 keys; the kid must be one of "e", "e2"`},
		{"unknown kid", one, sealed(`{"alg":"ES256","kid":"two"}`, claims, ec), `no key of its kid "two"; the kid must be one of "one"`},
		{"stranger's key", one, sealed(`{"alg":"ES256"}`, claims, ec2), `not by the key "one"`},
		{"kid of another key", all, sealed(`{"alg":"ES256","kid":"e"}`, claims, ec2), `not by the key "e"`},
		{"alg of another key", all, sealed(`{"alg":"RS256","kid":"e"}`, claims, rs), `the key "e" is for ES256`},
		{"RS256 where the key is for PS256", pss, sealed(`{"alg":"RS256","kid":"r"}`, claims, rs), `the key "r" is for PS256`},
		{"PKCS #1 signature called PS256", all, sealed(`{"alg":"PS256","kid":"r"}`, claims, rs), `not by the key "r"`},
		{"short RSA signature", all, sealed(`{"alg":"RS256","kid":"r"}`, claims, func(s string) []byte { return rs(s)[1:] }), "cannot be by the key"},
		{"RSA signature beyond the modulus", all, sealed(`{"alg":"RS256","kid":"r"}`, claims, func(string) []byte { return bytes.Repeat([]byte{255}, 256) }), "cannot be by the key"},
		{"no RSA signature", all, sealed(`{"alg":"RS256","kid":"r"}`, claims, nil), "cannot be by the key"},
		{"no EC signature", one, sealed(`{"alg":"ES256"}`, claims, nil), `not by the key "one"`},
		{"short EC signature", one, sealed(`{"alg":"ES256"}`, claims, func(s string) []byte { return ec(s)[:63] }), `not by the key "one"`},
		{"claims changed", one, good[:strings.Index(good, ".")+1] + base64url([]byte(`{"iss":"he"}`)) + good[strings.LastIndex(good, "."):], `not by the key "one"`},

		{"alg none", one, sealed(`{"alg":"none"}`, claims, nil), `alg "none" is not one of`},
		{"alg None, signed", one, sealed(`{"alg":"None"}`, claims, ec), `alg "None" is not one of`},
		{"HS256 with the key as PEM", one, sealed(`{"alg":"HS256"}`, claims, mac([]byte(pkix(t, k.ec)))), `alg "HS256" is not one of`},
		{"HS256 with the key as DER", one, sealed(`{"alg":"HS256"}`, claims, mac(der)), `alg "HS256" is not one of`},
		{"HS256 with the key as JWK", one, sealed(`{"alg":"HS256"}`, claims, mac([]byte(jwkOf(t, k.ec, "")))), `alg "HS256" is not one of`},
		{"ES384", one, sealed(`{"alg":"ES384"}`, claims, ec), `alg "ES384" is not one of`},
		{"alg in capitals of its own", one, sealed(`{"alg":"es256"}`, claims, ec), `alg "es256" is not one of`},
		{"no alg", one, sealed(`{}`, claims, ec), "alg is missing"},
		{"alg is a list", one, sealed(`{"alg":["ES256"]}`, claims, ec), "alg is not a string"},
		{"alg is null", one, sealed(`{"alg":null}`, claims, ec), "alg is not a string"},
		{"alg twice", one, sealed(`{"alg":"none","alg":"ES256"}`, claims, ec), `"alg" is there twice`},
		{"ALG", one, sealed(`{"alg":"ES256","ALG":"none"}`, claims, ec), `"ALG" is not accepted`},
		{"empty kid", one, sealed(`{"alg":"ES256","kid":""}`, claims, ec), "kid is not a string, or empty"},
		{"kid is an object", one, sealed(`{"alg":"ES256","kid":{}}`, claims, ec), "kid is not a string"},
		{"empty typ", one, sealed(`{"alg":"ES256","typ":""}`, claims, ec), "typ is not a string, or empty"},
		{"half a surrogate pair", one, sealed(`{"alg":"ES256","kid":"\ud800"}`, claims, ec), "kid is not a string"},
		{"jku", one, sealed(`{"alg":"ES256","jku":"http://127.0.0.1/"}`, claims, ec), `"jku" is not accepted`},
		{"jwk", one, sealed(`{"alg":"ES256","jwk":`+jwkOf(t, k.ec2, "")+`}`, claims, ec2), `"jwk" is not accepted`},
		{"x5u", one, sealed(`{"alg":"ES256","x5u":"http://127.0.0.1/"}`, claims, ec), `"x5u" is not accepted`},
		{"x5c", one, sealed(`{"alg":"ES256","x5c":["AAAA"]}`, claims, ec), `"x5c" is not accepted`},
		{"crit", one, sealed(`{"alg":"ES256","crit":["exp"],"exp":1}`, claims, ec), "is not accepted"},
		{"b64", one, sealed(`{"alg":"ES256","b64":false}`, claims, ec), `"b64" is not accepted`},
		{"zip", one, sealed(`{"alg":"ES256","zip":"DEF"}`, claims, ec), `"zip" is not accepted`},
		{"header that ends too early", one, sealed(`{"alg":"ES256"`, claims, ec), "its header: it is not a JSON object"},
		{"something behind the header", one, sealed(`{"alg":"ES256"}{}`, claims, ec), "its header: something follows"},
		{"header is a list", one, sealed(`["ES256"]`, claims, ec), "its header: it is not a JSON object"},
		{"long header", one, sealed(`{"alg":"ES256","kid":"`+strings.Repeat("x", 1000)+`"}`, claims, ec), "its header: it is too long"},

		{"a claim twice", one, sealed(`{"alg":"ES256"}`, `{"iss":"me","iss":"you"}`, ec), `its claims: the member "iss" is there twice`},
		{"claims are a list", one, sealed(`{"alg":"ES256"}`, `[]`, ec), "its claims: it is not a JSON object"},
		{"claims are not UTF-8", one, sealed(`{"alg":"ES256"}`, "{\"a\":\"\xff\"}", ec), "its claims: it is not UTF-8"},
		{"no claims", one, sealed(`{"alg":"ES256"}`, ``, ec), "its claims: it is not a JSON object"},

		{"empty", one, "", "three parts"},
		{"two parts", one, good[:strings.LastIndex(good, ".")], "three parts"},
		{"four parts", one, good + ".", "three parts"},
		{"a JWE", one, good + ".AA.AA", "three parts"},
		{"JSON serialisation", one, `{"payload":"e30","signatures":[]}`, "three parts"},
		{"20,000 dots", one, strings.Repeat(".", 20_000), "longer than 16 KiB"},
		{"10,000 dots", one, strings.Repeat(".", 10_000), "three parts"},
		{"64 KiB", one, strings.Repeat("A", 64<<10), "longer than 16 KiB"},
		{"padding", one, good + "=", "its signature is not base64url"},
		{"a line break", one, good[:10] + "\n" + good[10:], "its header: it is not base64url"},
		{"spare bits", one, good[:len(good)-1] + string(otherSpelling(good[len(good)-1])), "its signature is not base64url"},
		{"the other alphabet", one, strings.Replace(good, ".", "+.", 1), "its header: it is not base64url"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := verifyForeign(c.set, c.token)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// otherSpelling is a digit whose upper bits are those of the given one, where the lower two are not used.
func otherSpelling(last byte) byte {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return digits[strings.IndexByte(digits, last)^1]
}

// golang-jwt signs what we verify, and the claims come out as they went in.
func TestVerifyForeignFromGolangJWT(t *testing.T) {
	k := foreignKeys()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "me", "exp": 12.5})
	token.Header["kid"] = "a"
	text, err := token.SignedString(k.ec)
	if err != nil {
		t.Fatal(err)
	}
	j, err := ParseJWS(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := mustSet(t, setOf(jwkOf(t, k.ec, `"kid":"a"`))).Verify(j); err != nil {
		t.Error(err)
	}
	if j.Alg != "ES256" || j.KID != "a" || j.Typ != "JWT" || string(j.Claims["iss"]) != `"me"` || string(j.Claims["exp"]) != "12.5" {
		t.Errorf("got %s %s %s %s", j.Alg, j.KID, j.Typ, j.Claims)
	}
}

func TestJWSDoesNotPrint(t *testing.T) {
	k := foreignKeys()
	j, err := ParseJWS(sealed(`{"alg":"ES256"}`, `{"iss":"me"}`, signer(t, ES256, k.ec)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprint(j), fmt.Sprintf("%+v %#v %q", *j, j, *j), string(data), j.LogValue().String()} {
		if strings.Contains(printed, j.input) || strings.Contains(printed, base64url(j.signature)) || !strings.Contains(printed, secret.Redacted) {
			t.Errorf("got %s", printed)
		}
	}
}

// Whether there is a key, and of which kid, does not show in the time that a refusal takes. What is
// compared is the shortest of many, and a verification costs a hundred times what goes without it.
func TestVerifyForeignCostsTheSame(t *testing.T) {
	k := foreignKeys()
	own := mustSet(t, setOf(jwkOf(t, k.ec, `"kid":"ES256"`), jwkOf(t, k.rsa, `"kid":"RS256"`), jwkOf(t, k.ed, `"kid":"EdDSA"`)))
	shortest := func(set *PublicSet, j *JWS) time.Duration {
		best := time.Hour
		for range 100 {
			began := time.Now()
			_ = set.Verify(j)
			best = min(best, time.Since(began))
		}
		return best
	}
	for alg, key := range map[string]crypto.PrivateKey{ES256: k.ec, RS256: k.rsa, EdDSA: k.ed} {
		parsed := func(kid string) *JWS {
			j, err := ParseJWS(sealed(`{"alg":"`+alg+`","kid":"`+kid+`"}`, `{}`, signer(t, alg, key)))
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		good := shortest(own, parsed(alg))
		other := map[string]string{ES256: RS256, RS256: ES256, EdDSA: ES256}[alg]
		for what, took := range map[string]time.Duration{"no keys": shortest(nil, parsed(alg)), "unknown kid": shortest(own, parsed("x")), "a key of another type": shortest(own, parsed(other))} {
			if took < good/4 || took > good*4 {
				t.Errorf("%s, %s: took %v, and a good one %v", alg, what, took, good)
			}
		}
	}
}

// What a verification costs for a client that has the key, for one that has another, and for one that
// has none: the answer must not come sooner for one of them.
func BenchmarkVerifyForeign(b *testing.B) {
	k := foreignKeys()
	own := mustSet(b, setOf(jwkOf(b, k.ec, `"kid":"e"`), jwkOf(b, k.rsa, `"kid":"r"`), jwkOf(b, k.ed, `"kid":"o"`)))
	for kid, key := range map[string]crypto.PrivateKey{"e": k.ec, "r": k.rsa, "o": k.ed} {
		alg := map[string]string{"e": ES256, "r": RS256, "o": EdDSA}[kid]
		token := sealed(`{"alg":"`+alg+`","kid":"`+kid+`"}`, `{"iss":"me"}`, signer(b, alg, key))
		unknown := sealed(`{"alg":"`+alg+`","kid":"x"}`, `{"iss":"me"}`, signer(b, alg, key))
		for name, c := range map[string]struct {
			set   *PublicSet
			token string
		}{"good": {own, token}, "unknown kid": {own, unknown}, "no keys": {nil, token}} {
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					_ = verifyForeign(c.set, c.token)
				}
			})
		}
	}
}
