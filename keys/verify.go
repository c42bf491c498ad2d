package keys

import (
	"fmt"
	"time"

	"signet/keys/clockcheck"
)

// Verify checks a token that claims to be ours and reads its payload into claims: see keyset.Set.Verify. It does no I/O.
//
// The error for everything that is wrong is keyset.ErrInvalidToken, also where the key was revoked or removed;
// keyset.ErrUnreadable when the signature is good and the payload does not fit claims; ErrStale when the keyring was
// not read for ServeStale, so that a revocation may have been missed; clockcheck.ErrClock when this replica's clock is
// off, since the caller compares times next. The caller checks lifetimes, issuer and audience.
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
	return s.keySet.Verify(token, typ, claims)
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
	return JWKS{s.keySet.Body, s.keySet.ETag, max(fresh, 0).Truncate(time.Second)}, nil
}
