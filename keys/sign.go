package keys

import (
	"context"
	"fmt"

	"signet/keys/clockcheck"
	"signet/keys/rotation"
)

// Sign returns a compact JWS (RFC 7515 §7.1) over the claims as JSON, with the header members alg,
// kid and typ, and the kid of the key that signed. An empty alg means the primary algorithm.
// ErrStale when the keyring was not read for SignStale; clockcheck.ErrClock when this replica's clock is off;
// rotation.ErrAlgorithm when nothing signs with alg; privatekey.ErrSigner when a remote key did not sign in time.
func (m *Manager) Sign(ctx context.Context, alg, typ string, claims any) (token, kid string, err error) {
	if err := ctx.Err(); err != nil {
		return "", "", fmt.Errorf("signing a token: %w", err)
	}
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return "", "", err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.SignStale {
		m.Poll()
		return "", "", fmt.Errorf("signing a token: %w: last read %v ago", ErrStale, unread)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return "", "", fmt.Errorf("signing a token: %w", err)
	}
	key := s.keySet.Signer(alg)
	if key == nil {
		return "", "", fmt.Errorf("signing a token: %w %q", rotation.ErrAlgorithm, alg)
	}
	token, err = key.Token(ctx, typ, claims)
	if err != nil {
		return "", "", fmt.Errorf("signing a token with %s: %w", key.Alg, err)
	}
	return token, key.KID, nil
}

// Ready returns nil when Sign would sign now with the primary algorithm, and otherwise the error that it would
// return, or the privatekey.ErrSigner of the last Probe. It makes no signature.
func (m *Manager) Ready() error {
	now := m.clock.Reading()
	s, err := m.held.current(now)
	if err != nil {
		return err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.SignStale {
		return fmt.Errorf("last read %v ago: %w", unread, ErrStale)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return err
	}
	if len(s.keySet.Signers) == 0 {
		return rotation.ErrAlgorithm
	}
	return m.prober.ErrorOf(s.keySet.Primary())
}
