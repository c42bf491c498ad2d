package jose

import (
	"encoding/base64"
	"errors"
	"strings"
)

// MaxToken is the longest compact JWS that is read, in bytes.
const MaxToken = 16 << 10

// Split cuts a compact JWS (RFC 7515 §7.1) at its two dots. It returns false for one that is longer
// than MaxToken or has another number of parts.
func Split(token string) (header, payload, signature string, ok bool) {
	if len(token) > MaxToken {
		return "", "", "", false
	}
	header, rest, _ := strings.Cut(token, ".")
	payload, signature, ok = strings.Cut(rest, ".")
	return header, payload, signature, ok && !strings.Contains(signature, ".")
}

var (
	strictBase64 = base64.RawURLEncoding.Strict()
	errLineEnd   = errors.New("a line end in base64url")
)

// DecodeSegment decodes base64url. It accepts one spelling of each value: no padding, no spare bits, no line ends.
func DecodeSegment(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // package base64 skips them
		return nil, errLineEnd
	}
	return strictBase64.DecodeString(s)
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// maxForeignHeader bounds the headers that NamedKey reads; those of others can have certificates in them.
const maxForeignHeader = 4 << 10

// NamedKey returns the kid in the header of a token that was not verified; empty where the token is no JWS or its
// header has no kid.
func NamedKey(token string) (kid string) {
	header, _, _, ok := Split(token)
	if !ok || len(header) > maxForeignHeader {
		return ""
	}
	plain, err := DecodeSegment(header)
	if err != nil {
		return ""
	}
	var named struct {
		KID string `json:"kid"`
	}
	if Unmarshal(plain, &named) != nil {
		return ""
	}
	return named.KID
}
