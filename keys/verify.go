package keys

import (
	"bytes"
	"fmt"
	"time"

	"signet/keys/clockcheck"
	"signet/keys/jose"
)

// maxHeader is more than the longest header made here.
const maxHeader = 256

// Verify checks a token that claims to be ours and reads its payload into claims. The only headers
// accepted are, byte for byte, those that Sign makes for a published key and this typ. A token therefore
// chooses neither its key nor its algorithm, and jku, jwk, x5c, crit, b64, zip, a member given twice
// or "alg":"none" are not even looked at (RFC 8725 §3). It does no I/O.
//
// The error for everything that is wrong is ErrInvalidToken, also where the key was revoked or removed;
// ErrUnreadable when the signature is good and the payload does not fit claims; ErrStale when the keyring was
// not read for ServeStale, so that a revocation may have been missed; clockcheck.ErrClock when this
// replica's clock is off, since the caller compares times next. The caller checks lifetimes, issuer and
// audience.
func (m *Manager) Verify(token, typ string, claims any) (kid string, err error) {
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return "", err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.ServeStale {
		m.Poll()
		return "", fmt.Errorf("verifying a token: %w: last read %v ago", ErrStale, unread)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return "", fmt.Errorf("verifying a token: %w", err)
	}
	return s.keySet.verify(token, typ, claims)
}

func (s *keySet) verify(token, typ string, claims any) (string, error) {
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
	if key.private.Verify(token[:len(header)+1+len(payload)], sig) != nil {
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

// keyFor returns the published key whose header this is, or nil. Each kid is in one header, so at most
// one key fits: no token is tried with several.
func (s *keySet) keyFor(segment, typ string) *signer {
	if len(segment) > maxHeader {
		return nil
	}
	header, err := jose.DecodeSegment(segment)
	if err != nil || !plainTyp(typ) {
		return nil
	}
	for _, k := range s.published {
		if rest, ok := bytes.CutPrefix(header, k.header); ok && string(rest) == typ+`"}` {
			return k
		}
	}
	return nil
}

// JWKS is the published key set, ready to be served as application/jwk-set+json.
type JWKS struct {
	Body   []byte        // shared: not to be changed
	ETag   string        // strong, with its quotes
	MaxAge time.Duration // whole seconds; does not reach past the next planned change
}

// maxAge is the longest MaxAge of a JWKS. Verifiers are promised that Cache is enough whatever they do.
const maxAge = 5 * time.Minute

// JWKS returns the key set, the primary algorithm's active key first. ErrStale when the keyring was not
// read for ServeStale.
func (m *Manager) JWKS() (JWKS, error) {
	now := m.clock.Reading()
	correct := m.clock.Correct(now)
	s, err := m.held.current(now)
	if err != nil {
		return JWKS{}, err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.ServeStale {
		m.Poll()
		return JWKS{}, fmt.Errorf("serving the key set: %w: last read %v ago", ErrStale, unread)
	}
	fresh := min(maxAge, m.cfg.Timetable.Cache)
	if until := s.keySet.Until; !until.IsZero() {
		fresh = min(fresh, until.Sub(correct))
	}
	return JWKS{s.keySet.body, s.keySet.etag, max(fresh, 0).Truncate(time.Second)}, nil
}
