package keys

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// maxJWSHeader is more than alg, typ and the longest kid take, in base64url.
const maxJWSHeader = 1 << 10

// JWS is a compact JWS (RFC 7515 §7.1) over claims, taken apart. Until a PublicSet has verified it,
// anybody may have written what it says.
type JWS struct {
	Alg    string                     // one of VerifiedAlgorithms
	KID    string                     // empty: the header has none
	Typ    string                     // empty: the header has none
	Claims map[string]json.RawMessage // each name once

	input     string // what was signed
	signature []byte
}

// ParseJWS takes a token of somebody else apart: at most 16 KiB, three parts, each in its one
// base64url spelling; a header of alg, kid and typ, whose other members are ignored (RFC 7515 §4) except
// those that would change how the token is read or verified, which are refused: see meaningful. JSON has
// no name twice. It does no I/O. What is
// wrong it says for a log: the error quotes names and not values.
func ParseJWS(token string) (*JWS, error) {
	if len(token) > maxToken {
		return nil, fmt.Errorf("it is longer than %d KiB", maxToken>>10)
	}
	header, payload, signature, ok := split(token)
	if !ok {
		return nil, errors.New("it does not have the three parts of a JWT")
	}
	j := &JWS{input: token[:len(header)+1+len(payload)]}
	if err := j.readHeader(header); err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	claims, err := decodeSegment(payload)
	if err != nil {
		return nil, errors.New("its claims are not base64url")
	}
	if j.Claims, err = object(claims); err != nil {
		return nil, fmt.Errorf("its claims: %w", err)
	}
	if j.signature, err = decodeSegment(signature); err != nil {
		return nil, errors.New("its signature is not base64url")
	}
	return j, nil
}

// meaningful are header members that a reader who knows them acts on: extensions that must be understood,
// other encodings of the payload, and keys or places of keys that the token brings along (RFC 8725 §3). No
// token is verified by those; one that has them expects what is not done here.
var meaningful = []string{"crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"}

// misleading reports whether a reader could act on the header member who is not meant to: it is one of the
// meaningful ones, or one of those that are read here, in another case.
func misleading(name string) bool {
	isName := func(known string) bool { return strings.EqualFold(name, known) }
	known := name == "alg" || name == "kid" || name == "typ"
	return !known && (isName("alg") || isName("kid") || isName("typ") || slices.ContainsFunc(meaningful, isName))
}

func (j *JWS) readHeader(segment string) error {
	if len(segment) > maxJWSHeader {
		return errors.New("it is too long")
	}
	raw, err := decodeSegment(segment)
	if err != nil {
		return errors.New("it is not base64url")
	}
	members, err := object(raw)
	if err != nil {
		return err
	}
	for name, value := range members {
		if err := j.readHeaderMember(name, value); err != nil {
			return err
		}
	}
	if j.Alg == "" {
		return errors.New("alg is missing")
	}
	return nil
}

func (j *JWS) readHeaderMember(name string, value json.RawMessage) error {
	s, ok := text(value)
	switch {
	case misleading(name):
		return fmt.Errorf("the member %s is not accepted; it may have alg, kid and typ, and others that mean nothing here", quote(name))
	case name != "alg" && name != "kid" && name != "typ":
		return nil
	case !ok || s == "":
		return fmt.Errorf("%s is not a string, or empty", name)
	case name == "alg" && !slices.Contains(VerifiedAlgorithms, s):
		return fmt.Errorf("alg %s is not one of %s", quote(s), strings.Join(VerifiedAlgorithms, ", "))
	}
	switch name {
	case "alg":
		j.Alg = s
	case "kid":
		j.KID = s
	case "typ":
		j.Typ = s
	}
	return nil
}

// Format implements fmt.Formatter, for every verb without the token: it is a credential.
func (JWS) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the token.
func (JWS) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalJSON implements json.Marshaler without the token.
func (JWS) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
