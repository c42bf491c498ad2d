package keys

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"signet/keys/jose"
	"signet/keys/keyset"
	"signet/keys/keystest"
	"signet/keys/privatekey"
	"signet/keys/rotation"
)

func TestSignAndVerify(t *testing.T) {
	m := everyAlgorithm(t)
	for _, alg := range jose.Algorithms {
		token, kid := mustSign(t, m, alg)
		header, _ := base64.RawURLEncoding.DecodeString(token[:strings.IndexByte(token, '.')])
		if want := `{"alg":"` + alg + `","kid":"` + kid + `","typ":"at+jwt"}`; string(header) != want {
			t.Errorf("header: got %s, want %s", header, want)
		}
		var claims map[string]string
		got, err := m.Verify(token, "at+jwt", &claims)
		if err != nil || got != kid || claims["sub"] != "somebody" {
			t.Errorf("%s: got %q, %v, %v", alg, got, claims, err)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	m := mustOpen(t, testConfig(&keystest.Storage{}, newClock()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name     string
		ctx      context.Context
		alg, typ string
		claims   any
		want     error
	}{
		{"algorithm that is not live", t.Context(), jose.RS256, "JWT", 1, rotation.ErrAlgorithm},
		{"unknown algorithm", t.Context(), "none", "JWT", 1, rotation.ErrAlgorithm},
		{"ended context", ended, "", "JWT", 1, context.Canceled},
		{"quote in typ", t.Context(), "", `a"b`, 1, nil},
		{"empty typ", t.Context(), "", "", 1, nil},
		{"claims that are no JSON", t.Context(), "", "JWT", func() {}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			token, kid, err := m.Sign(tc.ctx, tc.alg, tc.typ, tc.claims)
			if err == nil || tc.want != nil && !errors.Is(err, tc.want) || token != "" || kid != "" {
				t.Errorf("got %q, %q, %v, want %v", token, kid, err, tc.want)
			}
		})
	}
}

// encode builds a token out of a header, a payload and a signature by the key.
func encode(t testing.TB, k *privatekey.Key, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	signature, err := k.Sign(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(signature)
}

func TestVerifyRefuses(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	cfg := testConfig(s, c)
	cfg.Algorithms = []string{jose.ES256, jose.RS256}
	m := mustOpen(t, cfg)
	ec, rs := m.held.load().keySet.Signers[0], m.held.load().keySet.Signers[1]
	good, kid := mustSign(t, m, "")
	parts := strings.Split(good, ".")
	header := func(members string) string { return encode(t, ec.Private, "{"+members+"}", `{"sub":"x"}`) }
	ours := `"alg":"ES256","kid":"` + kid + `","typ":"at+jwt"`
	foreignKID, foreign, err := m.store.source.New(t.Context(), jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	hmac, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "x"}).SignedString([]byte("the public key"))
	if err != nil {
		t.Fatal(err)
	}
	last := good[len(good)-1]
	spare := good[:len(good)-1] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[indexOf(last)^1]) // 86 characters carry 4 spare bits
	for name, token := range map[string]string{
		"empty":                  "",
		"one dot":                "a.b",
		"three dots":             good + ".",
		"four parts":             good + "." + parts[2],
		"many dots":              strings.Repeat(".", 16000),
		"too long":               good + strings.Repeat("A", jose.MaxToken),
		"signed, but too long":   encode(t, ec.Private, "{"+ours+"}", `{"sub":"`+strings.Repeat("x", jose.MaxToken)+`"}`),
		"padding":                parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"standard base64":        strings.NewReplacer("-", "+", "_", "/").Replace(good + "+"),
		"line end":               good + "\n",
		"line end in the header": parts[0][:8] + "\n" + parts[0][8:] + "." + parts[1] + "." + parts[2],
		"spare bits set":         spare,
		"no signature":           parts[0] + "." + parts[1] + ".",
		"cut signature":          good[:len(good)-4],
		"other payload":          parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root"}`)) + "." + parts[2],
		"empty payload":          parts[0] + ".." + parts[2],
		"alg none":               header(strings.Replace(ours, "ES256", "none", 1)),
		"HS256":                  hmac,
		"alg of another key":     header(strings.Replace(ours, "ES256", "RS256", 1)),
		"kid of another key":     header(strings.Replace(strings.Replace(ours, kid, rs.KID, 1), "ES256", "RS256", 1)),
		"unknown kid":            header(strings.Replace(ours, kid, foreignKID, 1)),
		"kid is a number":        header(`"alg":"ES256","kid":1,"typ":"at+jwt"`),
		"no kid":                 header(`"alg":"ES256","typ":"at+jwt"`),
		"no typ":                 header(`"alg":"ES256","kid":"` + kid + `"`),
		"typ JWT":                header(strings.Replace(ours, "at+jwt", "JWT", 1)),
		"typ application/at+jwt": header(strings.Replace(ours, "at+jwt", "application/at+jwt", 1)),
		"typ in capitals":        header(strings.Replace(ours, "at+jwt", "AT+JWT", 1)),
		"jku":                    header(ours + `,"jku":"https://attacker.example/"`),
		"jwk":                    header(ours + `,"jwk":{}`),
		"x5u":                    header(ours + `,"x5u":"https://attacker.example/"`),
		"x5c":                    header(ours + `,"x5c":[]`),
		"x5t":                    header(ours + `,"x5t":""`),
		"crit":                   header(ours + `,"crit":["b64"]`),
		"b64":                    header(ours + `,"b64":false`),
		"zip":                    header(ours + `,"zip":"DEF"`),
		"unknown member":         header(ours + `,"x":1`),
		"member twice":           header(ours + `,"typ":"at+jwt"`),
		"member twice, first":    header(`"alg":"none",` + ours),
		"space in the header":    header(ours + " "),
		"signed by a stranger":   encode(t, foreign, "{"+ours+"}", `{}`),
		"payload is no JSON":     encode(t, ec.Private, "{"+ours+"}", `{`),
		"payload of other type":  encode(t, ec.Private, "{"+ours+"}", `[]`),
	} {
		t.Run(name, func(t *testing.T) {
			var claims map[string]string
			if got, err := m.Verify(token, "at+jwt", &claims); !errors.Is(err, keyset.ErrInvalidToken) || got != "" {
				t.Errorf("got %q, %v, want ErrInvalidToken", got, err)
			}
		})
	}
	var claims map[string]string
	if _, err := m.Verify(good, "at+jwt", &claims); err != nil {
		t.Errorf("the token that all these derive from: %v", err)
	}
	if _, err := m.Verify(encode(t, ec.Private, "{"+ours+"}", `{"sub":"x"}`), "at+jwt", &claims); err != nil {
		t.Errorf("the header that all these derive from: %v", err)
	}
	if _, err := m.Verify(good, "logout+jwt", &claims); !errors.Is(err, keyset.ErrInvalidToken) {
		t.Errorf("asked for another typ: got %v, want ErrInvalidToken", err)
	}
}

func indexOf(c byte) int {
	return strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", c)
}

func TestVerifyForgetsRevokedAndRemovedKeys(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(k *rotation.Key, c *clock)
	}{
		{"revoked", func(k *rotation.Key, c *clock) { k.RevokedAt = c.now() }},
		{"removed", func(k *rotation.Key, c *clock) { k.RemoveAt = c.now() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			m := mustOpen(t, testConfig(&keystest.Storage{}, c))
			token, _ := mustSign(t, m, "")
			s := *m.held.load()
			s.Ring, s.keySet = s.Ring.Clone(), nil
			tc.change(&s.Ring.Keys[0], c)
			if err := m.held.adopt(&s, c.now()); err != nil {
				t.Fatal(err)
			}
			var claims any
			if _, err := m.Verify(token, "at+jwt", &claims); !errors.Is(err, keyset.ErrInvalidToken) {
				t.Errorf("got %v, want ErrInvalidToken", err)
			}
		})
	}
}

// What Verify accepts an independent and more liberal verifier must accept too, with the same claims.
func FuzzVerify(f *testing.F) {
	cfg := testConfig(&keystest.Storage{}, newClock())
	cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
	m := mustOpen(f, cfg)
	for _, alg := range cfg.Algorithms {
		token, _ := mustSign(f, m, alg)
		f.Add(token)
		f.Add(strings.Replace(token, ".", "..", 1))
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	lookup := func(t *jwt.Token) (any, error) {
		for _, p := range m.held.load().keySet.Keys {
			if p.KID == t.Header["kid"] && p.Alg == t.Method.Alg() {
				return p.Private.Public(), nil
			}
		}
		return nil, errors.New("unknown kid")
	}
	f.Fuzz(func(t *testing.T, token string) {
		var claims map[string]any
		kid, err := m.Verify(token, "at+jwt", &claims)
		if err != nil {
			if !errors.Is(err, keyset.ErrInvalidToken) || kid != "" {
				t.Fatalf("got %q, %v", kid, err)
			}
			return
		}
		parsed, err := jwt.Parse(token, lookup, jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
		if err != nil {
			t.Fatalf("golang-jwt refuses what was accepted: %v", err)
		}
		got, _ := json.Marshal(claims)
		want, _ := json.Marshal(parsed.Claims)
		if string(got) != string(want) {
			t.Fatalf("claims: got %s, want %s", got, want)
		}
	})
}
