package keys

import (
	"bytes"
	"fmt"

	"signet/keys/clockcheck"
	"signet/keys/jose"
)

// maxHeader is more than the longest header made here.
const maxHeader = 256

// Verify checks a token that claims to be ours and reads its payload into claims. The only headers
// accepted are, byte for byte, those that Sign makes for a published key and this typ: so a token
// chooses neither its key nor its algorithm, and jku, jwk, x5c, crit, b64, zip, a member given twice
// or "alg":"none" are not even looked at (RFC 8725 §3). It does no I/O.
//
// The answer to everything that is wrong is ErrInvalidToken, also where the key was revoked or
// removed; ErrUnreadable when the signature is good and the payload does not fit claims; ErrStale when the keyring was not read for D, so that a revocation may have been missed;
// ErrClock when this replica's clock is off, since what the caller judges next is the time.
// Lifetimes, issuer and audience are for the caller to judge.
func (m *Manager) Verify(token, typ string, claims any) (kid string, err error) {
	now := m.cfg.Now()
	s, err := m.current(now)
	if err != nil {
		return "", err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.ServeStale {
		m.Wake()
		return "", fmt.Errorf("verifying a token: %w: last read %v ago", ErrStale, unread)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return "", fmt.Errorf("verifying a token: %w", err)
	}
	return s.view.verify(token, typ, claims)
}

func (v *view) verify(token, typ string, claims any) (string, error) {
	header, payload, signature, ok := jose.Split(token)
	if !ok {
		return "", ErrInvalidToken
	}
	key := v.keyFor(header, typ)
	if key == nil {
		return "", ErrInvalidToken
	}
	sig, err := jose.DecodeSegment(signature)
	if err != nil {
		return "", ErrInvalidToken
	}
	if key.private.verify(token[:len(header)+1+len(payload)], sig) != nil {
		return "", ErrInvalidToken
	}
	plain, err := jose.DecodeSegment(payload)
	if err != nil {
		return "", ErrInvalidToken
	}
	if jose.UnmarshalSigned(plain, claims) != nil {
		return "", ErrUnreadable
	}
	return key.kid, nil
}

// keyFor returns the published key whose header this is, or nil. Each kid is in one header, so at
// most one key fits: no token is tried against several.
func (v *view) keyFor(segment, typ string) *member {
	if len(segment) > maxHeader {
		return nil
	}
	header, err := jose.DecodeSegment(segment)
	if err != nil || !plainTyp(typ) {
		return nil
	}
	for _, m := range v.published {
		if rest, ok := bytes.CutPrefix(header, m.header); ok && string(rest) == typ+`"}` {
			return m
		}
	}
	return nil
}
