package install

import (
	"context"
	"errors"
	"fmt"

	"signet/config"
	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/masterkey"
)

// CompareClocks is for what is about to write times into a store: its clock must tell the same.
func CompareClocks(ctx context.Context, storage keys.Storage, cfg config.Config, installID string, master masterkey.Key) error {
	err := keys.CompareClocks(ctx, KeyringConfig(cfg, storage, installID, []masterkey.Key{master}))
	if errors.Is(err, clockcheck.ErrClock) {
		return ExplainClock(err)
	}
	if err != nil {
		return fmt.Errorf("store: %w", ExplainTimetable(cfg, err))
	}
	return nil
}

// ExplainClock says what to do about clocks that differ. Which of the two is wrong it cannot know.
func ExplainClock(err error) error {
	return fmt.Errorf("clock: %w (keys.skew); set this machine's clock or that of the store right, nothing was changed", err)
}
