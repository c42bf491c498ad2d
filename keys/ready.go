package keys

import (
	"fmt"

	"signet/keys/clockcheck"
)

// Ready returns nil when Sign would sign now with the primary algorithm, and ErrStale, ErrClock or
// ErrAlgorithm when it would not, or ErrSigner when the last Trial of its key failed. It does no work
// itself, unlike a trial signature.
func (m *Manager) Ready() error {
	now := m.cfg.Now()
	s, err := m.current(now)
	if err != nil {
		return err
	}
	if unread := clockcheck.Age(s.readAt, now); unread > m.cfg.Timetable.SignStale {
		return fmt.Errorf("last read %v ago: %w", unread, ErrStale)
	}
	if err := m.clock.CheckAt(now); err != nil {
		return err
	}
	if len(s.view.signers) == 0 {
		return ErrAlgorithm
	}
	if tried := m.tried.Load(); tried != nil && tried.kid == s.view.primary() {
		return tried.err
	}
	return nil
}
