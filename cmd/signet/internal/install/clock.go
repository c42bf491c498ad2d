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

// CompareClocks returns an error if the clock of the store differs from that of this machine. Call it before times are
// written into the store.
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

// ExplainClock adds what to do about clocks that differ. Either of the two may be wrong.
func ExplainClock(err error) error {
	return fmt.Errorf("clock: %w (keys.skew); set this machine's clock or that of the store right, nothing was changed", err)
}
