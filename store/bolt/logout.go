package bolt

import (
	"context"
	"fmt"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
)

// logouts has the queue of logouts. Whoever ends a session puts the logout there, in the same transaction.
type logouts struct{ db *commit.DB }

// ClaimLogouts implements store.Logouts. It writes nothing where none is due.
func (s *logouts) ClaimLogouts(ctx context.Context, now time.Time, lease time.Duration, limit int) (list []store.Logout, err error) {
	now = store.Millis(now)
	due := false
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		due = layout.HasDueLogout(tx, now)
		return nil
	})
	if err == nil && due {
		list, err = commit.Ask(ctx, s.db, func(t *layout.Tx) ([]store.Logout, error) { return layout.ClaimLogouts(t, now, now.Add(lease), limit) })
	}
	if err != nil {
		return nil, fmt.Errorf("claiming logouts: %w", err)
	}
	return list, nil
}

// FinishLogout implements store.Logouts.
func (s *logouts) FinishLogout(ctx context.Context, l store.Logout) error {
	if err := s.db.Update(ctx, func(t *layout.Tx) error { return layout.FinishLogout(t, l) }); err != nil {
		return fmt.Errorf("finishing a logout: %w", err)
	}
	return nil
}

// PostponeLogout implements store.Logouts.
func (s *logouts) PostponeLogout(ctx context.Context, l store.Logout, now time.Time, after time.Duration) error {
	if err := s.db.Update(ctx, func(t *layout.Tx) error { return layout.PostponeLogout(t, l, now.Add(after)) }); err != nil {
		return fmt.Errorf("postponing a logout: %w", err)
	}
	return nil
}

// LogoutQueue implements store.Logouts.
func (s *logouts) LogoutQueue(ctx context.Context) (q store.LogoutQueue, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		q = layout.ReadLogoutQueue(tx)
		return nil
	})
	if err != nil {
		return q, fmt.Errorf("looking at the queue of logouts: %w", err)
	}
	return q, nil
}
