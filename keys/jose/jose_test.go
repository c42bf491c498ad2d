package jose

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"strings"
	"testing"
)

// RFC 7638 §3.1
func TestThumbprintOfTheRFC(t *testing.T) {
	const n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W" +
		"-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS" +
		"D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	raw, err := base64.RawURLEncoding.DecodeString(n)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewJWK(&rsa.PublicKey{N: new(big.Int).SetBytes(raw), E: 65537})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRawECDSA(t *testing.T) {
	long := "0221" + "00" + strings.Repeat("ff", 32)
	for _, tc := range []struct{ name, der, want string }{
		{"short R and S", "3006" + "020101" + "020102", strings.Repeat("00", 31) + "01" + strings.Repeat("00", 31) + "02"},
		{"high bits set", "3046" + long + long, strings.Repeat("ff", 64)},
		{"too long", "3027" + "0222" + "01" + strings.Repeat("00", 33) + "020101", ""},
		{"something after", "3006" + "020101" + "020102" + "00", ""},
		{"third number", "3009" + "020101" + "020102" + "020103", ""},
		{"not ASN.1", "00", ""},
	} {
		der, err := hex.DecodeString(tc.der)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rawECDSA(der)
		if hex.EncodeToString(got) != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s: got %x, %v, want %s", tc.name, got, err, tc.want)
		}
	}
}

// TestNamedKey: the kid in the header of whatever is shown as a token.
func TestNamedKey(t *testing.T) {
	header := func(text string) string { return base64url([]byte(text)) + ".e30.c2ln" }
	for name, tc := range map[string][2]string{
		"a token":               {header(`{"alg":"RS256","kid":"2024-01"}`), "2024-01"},
		"no kid":                {header(`{"alg":"HS256"}`), ""},
		"an empty kid":          {header(`{"kid":""}`), ""},
		"a kid that is no text": {header(`{"kid":7}`), ""},
		"no JSON":               {header(`kid`), ""},
		"a refresh token":       {"signet_rt_AAAA", ""},
		"two parts":             {strings.TrimSuffix(header(`{"kid":"x"}`), ".c2ln"), ""},
		"a long header":         {header(`{"kid":"x","x5c":["` + strings.Repeat("A", maxForeignHeader) + `"]}`), ""},
		"nothing":               {"", ""},
	} {
		if got := NamedKey(tc[0]); got != tc[1] {
			t.Errorf("%s: got %q, want %q", name, got, tc[1])
		}
	}
}
