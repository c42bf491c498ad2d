package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signet/keys/secret"
)

// maxJWSHeader is more than alg, typ and the longest kid take, in base64url.
const maxJWSHeader = 1 << 10

// JWS is a compact JWS (RFC 7515 §7.1) over claims, taken apart. Nothing in it is to be trusted until a
// PublicSet has verified it. It prints as [redacted], because a token is a credential.
type JWS struct {
	secret.Hidden
	Alg    string                     // one of VerifiedAlgorithms
	KID    string                     // empty: the header has none
	Typ    string                     // empty: the header has none
	Claims map[string]json.RawMessage // each name once

	input     string // what was signed
	signature []byte
}

// ParseJWS takes a foreign token apart: at most MaxToken bytes, three parts, each in its one
// base64url spelling. The header may have alg, kid and typ. Its other members are ignored (RFC 7515 §4),
// except those that change how a token is read or verified, which are refused: see critical. No name may
// occur twice. The error is for a log and quotes names, not values.
func ParseJWS(token string) (*JWS, error) {
	if len(token) > MaxToken {
		return nil, fmt.Errorf("it is longer than %d KiB", MaxToken>>10)
	}
	header, payload, signature, ok := Split(token)
	if !ok {
		return nil, errors.New("it does not have the three parts of a JWT")
	}
	j := &JWS{input: token[:len(header)+1+len(payload)]}
	if err := j.readHeader(header); err != nil {
		return nil, fmt.Errorf("its header: %w", err)
	}
	claims, err := DecodeSegment(payload)
	if err != nil {
		return nil, errors.New("its claims are not base64url")
	}
	if j.Claims, err = object(claims); err != nil {
		return nil, fmt.Errorf("its claims: %w", err)
	}
	if j.signature, err = DecodeSegment(signature); err != nil {
		return nil, errors.New("its signature is not base64url")
	}
	return j, nil
}

// critical are header members that change how a token is read or verified: extensions that must be
// understood, other encodings of the payload, and keys or URLs of keys inside the token (RFC 8725 §3).
// None of them is supported.
var critical = []string{"crit", "b64", "zip", "enc", "cty", "jku", "jwk", "x5u", "x5c"}

// misleading reports whether another reader could act on the header member: it is a critical one, or
// alg, kid or typ in another case.
func misleading(name string) bool {
	isName := func(known string) bool { return strings.EqualFold(name, known) }
	known := name == "alg" || name == "kid" || name == "typ"
	return !known && (isName("alg") || isName("kid") || isName("typ") || slices.ContainsFunc(critical, isName))
}

func (j *JWS) readHeader(segment string) error {
	if len(segment) > maxJWSHeader {
		return errors.New("it is too long")
	}
	raw, err := DecodeSegment(segment)
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
