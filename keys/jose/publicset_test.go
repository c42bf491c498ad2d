package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// foreign are the private keys of somebody else, made once: RSA takes a while.
type foreign struct {
	ec, ec2 *ecdsa.PrivateKey
	ed      ed25519.PrivateKey
	rsa     *rsa.PrivateKey
}

var foreignKeys = sync.OnceValue(func() foreign {
	fresh := func(alg string) crypto.Signer {
		key, err := Generate(alg)
		if err != nil {
			panic(err)
		}
		return key
	}
	return foreign{fresh(ES256).(*ecdsa.PrivateKey), fresh(ES256).(*ecdsa.PrivateKey), fresh(EdDSA).(ed25519.PrivateKey), fresh(RS256).(*rsa.PrivateKey)}
})

// jwkOf writes a public key with go-jose, and more members after it.
func jwkOf(t testing.TB, key pair, more string) string {
	t.Helper()
	data, err := jose.JSONWebKey{Key: key.Public()}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if more == "" {
		return string(data)
	}
	return strings.TrimSuffix(string(data), "}") + "," + more + "}"
}

func setOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func mustSet(t testing.TB, text string) *PublicSet {
	t.Helper()
	set, err := ParsePublicSet([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestParsePublicSet(t *testing.T) {
	k := foreignKeys()
	ec, ed, rs := jwkOf(t, k.ec, ""), jwkOf(t, k.ed, ""), jwkOf(t, k.rsa, "")
	_, thumb := publicThumbprint(t, k.ec)
	small := jwkOf(t, half{&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}}, "")
	odd := func(e int) string {
		return jwkOf(t, half{&rsa.PublicKey{N: k.rsa.N, E: e}}, "")
	}
	even := jwkOf(t, half{&rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Set(k.rsa.N), 0, 0), E: 65537}}, "")
	huge := jwkOf(t, half{&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 4096, 1), E: 65537}}, "")
	for _, c := range []struct {
		name, text, want string // want: how the set is written again, or, after a !, a part of the error
	}{
		{"EC", setOf(ec), `"kid":"` + thumb + `"`},
		{"all kinds", setOf(ec, ed, rs), `"crv":"Ed25519"`},
		{"what its owner calls it", setOf(jwkOf(t, k.ec, `"kid":"a/b=c","use":"sig","alg":"ES256","key_ops":["verify"]`)), `"kid":"a/b=c"`},
		{"alg narrows RSA", setOf(jwkOf(t, k.rsa, `"alg":"PS256"`)), `"alg":"PS256"`},
		{"the newer name of EdDSA", setOf(jwkOf(t, k.ed, `"alg":"Ed25519"`)), `"kty":"OKP"`},
		{"members that mean nothing", strings.Replace(setOf(jwkOf(t, k.ec, `"x5c":["AAAA"],"ext":true,"exp":1`)), "{", `{"more":[1,{}],`, 1), `"keys":[{"kty":"EC","use":"sig","alg":"ES256"`},

		{"empty", ``, "!not a JSON object"},
		{"null", `null`, "!not a JSON object"},
		{"an array", `[` + ec + `]`, "!not a JSON object"},
		{"a single key", ec, "!it is a single key"},
		{"no keys member", `{}`, "!not a JWK Set"},
		{"keys is no array", `{"keys":{}}`, "!not a JWK Set"},
		{"keys is null", `{"keys":null}`, "!it has no keys"},
		{"no keys", setOf(), "!it has no keys"},
		{"eleven keys", setOf(strings.Split(strings.Repeat(ec+" ", 11), " ")[:11]...), "!11 keys"},
		{"too large", setOf(ec) + strings.Repeat(" ", maxPublicSet), "!larger than 16 KiB"},
		{"keys twice", `{"keys":[],"keys":[` + ec + `]}`, `!"keys" is there twice`},
		{"a member twice", setOf(jwkOf(t, k.ec, `"kty":"EC"`)), `!"kty" is there twice`},
		{"another spelling", strings.Replace(setOf(ec), `"kty"`, `"KTY"`, 1), "!kty is missing"},
		{"something behind", setOf(ec) + "{}", "!something follows"},
		{"not UTF-8", setOf(jwkOf(t, k.ec, "\"x-\xff\":1")), "!not UTF-8"},
		{"a key that is a string", setOf(`"x"`), "!key 1: it is not a JSON object"},

		{"kty unknown", setOf(`{"kty":"PQC"}`), `!kty "PQC" is not EC`},
		{"P-384", setOf(jwkOf(t, p384(t), "")), `!crv must be P-256, not "P-384"`},
		{"X25519", setOf(strings.Replace(ed, "Ed25519", "X25519", 1)), `!crv must be Ed25519, not "X25519"`},
		{"off the curve", setOf(strings.Replace(ec, `"y":"`, `"y":"AAAA`, 1)), "!32 bytes each"},
		{"no point", setOf(`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`), "!no point of P-256"},
		{"a short x", setOf(`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`), "!32 bytes, in base64url"},
		{"padding", setOf(`{"kty":"OKP","crv":"Ed25519","x":"` + strings.Repeat("A", 43) + `="}`), "!32 bytes, in base64url"},
		{"RSA of 1024 bits", setOf(small), "!has 1024 bits"},
		{"RSA of 4097 bits", setOf(huge), "!has 4097 bits"},
		{"even modulus", setOf(even), "!is even"},
		{"exponent 3", setOf(odd(3)), "!odd and 65537 or more"},
		{"even exponent", setOf(odd(65538)), "!odd and 65537 or more"},
		{"no exponent", setOf(strings.Replace(rs, `"e"`, `"f"`, 1)), "!odd and 65537 or more"},
		{"giant exponent", setOf(strings.Replace(rs, `"e":"AQAB"`, `"e":"`+strings.Repeat("A", 500)+`AQAB"`, 1)), ""},
		{"exponent beyond an int", setOf(strings.Replace(rs, `"e":"AQAB"`, `"e":"AQABAQABAQABAQAB"`, 1)), "!too large"},

		{"for encryption", setOf(jwkOf(t, k.ec, `"use":"enc"`)), "!use must be"},
		{"use is a list", setOf(jwkOf(t, k.ec, `"use":["sig"]`)), "!use must be"},
		{"to sign only", setOf(jwkOf(t, k.ec, `"key_ops":["sign"]`)), "!key_ops must name"},
		{"another alg", setOf(jwkOf(t, k.ec, `"alg":"ES384"`)), "!alg must be ES256"},
		{"alg of another type of key", setOf(jwkOf(t, k.rsa, `"alg":"ES256"`)), "!alg must be RS256 or PS256"},
		{"alg none", setOf(jwkOf(t, k.rsa, `"alg":"none"`)), "!alg must be RS256"},
		{"alg HS256", setOf(jwkOf(t, k.rsa, `"alg":"HS256"`)), "!alg must be RS256"},
		{"empty kid", setOf(jwkOf(t, k.ec, `"kid":""`)), "!kid must be"},
		{"kid is a number", setOf(jwkOf(t, k.ec, `"kid":7`)), "!kid must be"},
		{"kid with a space", setOf(jwkOf(t, k.ec, `"kid":"a b"`)), "!kid must be"},
		{"long kid", setOf(jwkOf(t, k.ec, `"kid":"`+strings.Repeat("x", 201)+`"`)), "!kid must be"},
		{"kid twice", setOf(jwkOf(t, k.ec, `"kid":"a"`), jwkOf(t, k.ec2, `"kid":"a"`)), `!key 2: another key has the kid "a" too`},
		{"key twice", setOf(jwkOf(t, k.ec, `"kid":"a"`), jwkOf(t, k.ec, `"kid":"b"`)), `"kid":"a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := ParsePublicSet([]byte(c.text))
			if part, refused := strings.CutPrefix(c.want, "!"); refused {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want %q in an error", err, part)
				}
				if errors.Is(err, ErrPrivateKey) {
					t.Errorf("%v is ErrPrivateKey", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			written, err := json.Marshal(set)
			if err != nil || !strings.Contains(string(written), c.want) {
				t.Errorf("got %s %v, want %s in it", written, err, c.want)
			}
			again, err := json.Marshal(mustSet(t, string(written)))
			if err != nil || !bytes.Equal(again, written) {
				t.Errorf("read and written again: got %s %v, want %s", again, err, written)
			}
		})
	}
}

// pair is what has a public key.
type pair interface{ Public() crypto.PublicKey }

// half is a public key that no private one belongs to.
type half struct{ key crypto.PublicKey }

func (h half) Public() crypto.PublicKey { return h.key }

func p384(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicThumbprint(t testing.TB, key crypto.Signer) (JWK, string) {
	t.Helper()
	k, err := NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, k.Thumbprint()
}

// Whatever private member is there, the answer is that a private key was given, and it shows nothing of it.
func TestParsePublicSetRefusesPrivateKeys(t *testing.T) {
	k := foreignKeys()
	var cases []string
	for _, key := range []any{k.ec, k.ed, k.rsa, []byte("a shared secret of 32 bytes or so")} {
		data, err := jose.JSONWebKey{Key: key}.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, string(data))
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		cases = append(cases, jwkOf(t, k.rsa, fmt.Sprintf(`%q:"c2VjcmV0"`, name)), jwkOf(t, k.rsa, fmt.Sprintf(`%q:null`, name)))
	}
	cases = append(cases, `{"kty":"oct"}`)
	for _, text := range cases {
		_, err := ParsePublicSet([]byte(setOf(jwkOf(t, k.ec2, ""), text)))
		if !errors.Is(err, ErrPrivateKey) || !strings.Contains(err.Error(), "key 2: not a public key") {
			t.Errorf("%.60s: got %v, want ErrPrivateKey", text, err)
		}
		if strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("the error shows the value: %v", err)
		}
	}
}

func TestParsePublicSetSaysAllProblemsAtOnce(t *testing.T) {
	k := foreignKeys()
	_, err := ParsePublicSet([]byte(setOf(jwkOf(t, k.ec, `"use":"enc","alg":"ES384","kid":""`), `{"kty":"oct"}`, jwkOf(t, k.rsa, `"key_ops":[]`))))
	for _, part := range []string{"key 1: use", "key 1: alg", "key 1: kid", "key 2: not a public key", "key 3: key_ops"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want %q in it", err, part)
		}
	}
}

// pemOf writes a PEM block of any type.
func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkix(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return pemOf(t, "PUBLIC KEY", der, err)
}

func certificate(t testing.TB, key crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return pemOf(t, "CERTIFICATE", der, err)
}

func TestReadPublicSet(t *testing.T) {
	k := foreignKeys()
	_, thumb := publicThumbprint(t, k.ec)
	set := setOf(jwkOf(t, k.ec, ""))
	for name, text := range map[string]string{
		"set": "\n" + set + "\n", "single key": jwkOf(t, k.ec, ""), "public key": pkix(t, k.ec), "certificate": certificate(t, k.ec),
		"text around it": "Subject: us\n" + pkix(t, k.ec) + "\n\n",
	} {
		got, err := ReadPublicSet([]byte(text))
		if err != nil || len(got.keys) != 1 || got.keys[0].jwk.Kid != thumb {
			t.Errorf("%s: got %+v %v, want the key %s", name, got, err, thumb)
		}
	}
	all, err := ReadPublicSet([]byte(pkix(t, k.ec) + pkix(t, k.ed) + pemOf(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey), nil)))
	if err != nil || len(all.keys) != 3 {
		t.Errorf("three keys: got %v %v", all, err)
	}
	for name, c := range map[string][2]string{
		"nothing":       {"", "neither JSON"},
		"an SSH key":    {"ssh-ed25519 AAAA", "neither JSON"},
		"cut short":     {pkix(t, k.ec)[:60], "damaged or cut short"},
		"one cut short": {pkix(t, k.ec) + pkix(t, k.ed)[:60], "damaged or cut short"},
		"P-384":         {pkix(t, p384(t)), `crv must be P-256, not "P-384"`},
		"no key in it":  {pemOf(t, "X509 CRL", []byte{1}, nil), "neither a public key nor a certificate"},
		"too large":     {pkix(t, k.ec) + strings.Repeat("x", maxPublicSet), "larger than 16 KiB"},
		"broken JSON":   {"{", "not a JSON object"},
		"not DER":       {pemOf(t, "PUBLIC KEY", []byte("x"), nil), `PEM block "PUBLIC KEY"`},
	} {
		if _, err := ReadPublicSet([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: got %v, want %q in an error", name, err, c[1])
		}
	}
	for _, text := range []string{pkix(t, p384(t)) + pkix(t, k.ec), pkix(t, k.ec) + certificate(t, k.ec)} {
		if set, err := ReadPublicSet([]byte(text)); err != nil || len(set.keys) != 1 || len(set.Unusable()) != 1 {
			t.Errorf("a key and one that is of no use: got %v, %v", set, err)
		}
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k.ec)
	for _, kind := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"} {
		private := pemOf(t, kind, pkcs8, err)
		if _, err := ReadPublicSet([]byte(pkix(t, k.ed) + private)); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%s: got %v, want ErrPrivateKey", kind, err)
		}
	}
}

// RFC 7517 §5: keys that cannot be used are left out, and the others serve.
func TestUnusableKeysAreLeftOut(t *testing.T) {
	k := foreignKeys()
	good := jwkOf(t, k.ec, `"kid":"good"`)
	for name, c := range map[string][2]string{
		"another curve":  {jwkOf(t, p384(t), ""), `key 1: crv must be P-256`},
		"for encryption": {jwkOf(t, k.rsa, `"use":"enc"`), "key 1: use must be"},
		"another kty":    {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AAAA"}`, `key 1: kty "AKP"`},
		"another alg":    {jwkOf(t, k.rsa, `"alg":"RS512"`), "key 1: alg must be"},
		"no object":      {`7`, "key 1: it is not a JSON object"},
		"a bad kid":      {jwkOf(t, k.ec2, `"kid":""`), "key 1: kid must be"},
	} {
		set, err := ParsePublicSet([]byte(setOf(c[0], good)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if kids := set.KIDs(); len(kids) != 1 || kids[0] != "good" {
			t.Errorf("%s: got keys %v, want the good one", name, kids)
		}
		if why := set.Unusable(); len(why) != 1 || !strings.Contains(why[0].Error(), c[1]) {
			t.Errorf("%s: got reasons %v, want %q", name, why, c[1])
		}
	}
	if _, err := ParsePublicSet([]byte(setOf(good, `{"kty":"oct","k":"AAAA"}`))); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("a secret beside a good key: got %v, want ErrPrivateKey", err)
	}
}

// FuzzParsePublicSet: no input makes it fail, and what it takes it writes so that it takes the same again.
func FuzzParsePublicSet(f *testing.F) {
	k := foreignKeys()
	for _, seed := range []string{
		setOf(jwkOf(f, k.ec, `"kid":"a","use":"sig"`), jwkOf(f, k.ed, `"alg":"Ed25519"`), jwkOf(f, k.rsa, `"key_ops":["verify"],"x5c":[]`)),
		setOf(`{"kty":"oct","k":"AA"}`), setOf(jwkOf(f, k.rsa, `"d":"AA"`)), jwkOf(f, k.ec, ""), pkix(f, k.ed), certificate(f, k.ec), `{"keys":[{},null,1]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := ReadPublicSet(data)
		if err != nil {
			return
		}
		written, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePublicSet(written)
		if err != nil {
			t.Fatalf("%s, which it wrote itself: %v", written, err)
		}
		if rewritten, _ := json.Marshal(again); !bytes.Equal(rewritten, written) {
			t.Fatalf("got %s, want %s", rewritten, written)
		}
		for _, name := range privateMembers {
			if bytes.Contains(written, fmt.Appendf(nil, "%q:", name)) {
				t.Fatalf("%s has the member %s", written, name)
			}
		}
	})
}

// A client without keys has a nil set; everything that can be asked of it has an answer.
func TestNilPublicSet(t *testing.T) {
	var set *PublicSet
	if kids := set.KIDs(); len(kids) != 0 {
		t.Errorf("kids: got %q, want none", kids)
	}
	if data, err := set.MarshalJSON(); err != nil || string(data) != `{"keys":[]}` {
		t.Errorf("got %s, %v", data, err)
	}
	if verifyForeign(set, sealed(`{"alg":"ES256"}`, `{}`, signer(t, ES256, foreignKeys().ec))) == nil {
		t.Error("verified by no key at all")
	}
}
