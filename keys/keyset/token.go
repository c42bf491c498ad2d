package keyset

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"signet/keys/jose"
)

var (
	// ErrInvalidToken: the token was not signed by this install with a key that is still valid. It gives no
	// reason, because the caller may be an attacker.
	ErrInvalidToken = errors.New("invalid token")

	// ErrUnreadable is an ErrInvalidToken: this install has signed the token, and its claims are not of the
	// expected types.
	ErrUnreadable = fmt.Errorf("%w: it was signed here, and its claims cannot be read", ErrInvalidToken)
)

const (
	maxTyp    = 64
	maxHeader = 256 // more than the longest header made here
)

// Token returns a compact JWS (RFC 7515 §7.1) over the claims as JSON, with the header members alg, kid and typ.
func (k *Signer) Token(ctx context.Context, typ string, claims any) (string, error) {
	if !plainTyp(typ) {
		return "", fmt.Errorf("typ %q needs escaping or is empty or long", typ)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding the claims: %w", err)
	}
	header := bytes.Join([][]byte{k.header, []byte(typ), []byte(`"}`)}, nil)
	b64 := base64.RawURLEncoding
	const signatureRoom = 1 + 43*8 // a dot and an RSA-2048 signature
	buf := make([]byte, 0, b64.EncodedLen(len(header))+1+b64.EncodedLen(len(payload))+signatureRoom)
	buf = b64.AppendEncode(buf, header)
	buf = append(buf, '.')
	buf = b64.AppendEncode(buf, payload)
	signature, err := k.Private.Sign(ctx, string(buf))
	if err != nil {
		return "", err
	}
	buf = append(buf, '.')
	return string(b64.AppendEncode(buf, signature)), nil
}

// plainTyp reports whether typ can stand in a JSON string as it is.
func plainTyp(typ string) bool {
	return typ != "" && len(typ) <= maxTyp && !strings.ContainsFunc(typ, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\\'
	})
}

// Verify checks a token that claims to be ours and reads its payload into claims. The only headers accepted are, byte for
// byte, those that Token makes for a published key and this typ. A token therefore chooses neither its key nor its
// algorithm, and jku, jwk, x5c, crit, b64, zip, a member given twice or "alg":"none" are not even looked at (RFC 8725
// §3). The error is ErrInvalidToken, or ErrUnreadable when the signature is good and the payload does not fit claims.
func (s *Set) Verify(token, typ string, claims any) (kid string, err error) {
	header, payload, signature, ok := jose.Split(token)
	if !ok {
		return "", ErrInvalidToken
	}
	key := s.keyFor(header, typ)
	if key == nil {
		return "", ErrInvalidToken
	}
	sig, err := jose.DecodeSegment(signature)
	if err != nil {
		return "", ErrInvalidToken
	}
	if key.Private.Verify(token[:len(header)+1+len(payload)], sig) != nil {
		return "", ErrInvalidToken
	}
	plain, err := jose.DecodeSegment(payload)
	if err != nil {
		return "", ErrInvalidToken
	}
	if jose.UnmarshalSigned(plain, claims) != nil {
		return "", ErrUnreadable
	}
	return key.KID, nil
}

// keyFor returns the published key whose header this is, or nil. Each kid is in one header, so at most
// one key fits: no token is tried with several.
func (s *Set) keyFor(segment, typ string) *Signer {
	if len(segment) > maxHeader {
		return nil
	}
	header, err := jose.DecodeSegment(segment)
	if err != nil || !plainTyp(typ) {
		return nil
	}
	for _, k := range s.Keys {
		if rest, ok := bytes.CutPrefix(header, k.header); ok && string(rest) == typ+`"}` {
			return k
		}
	}
	return nil
}
