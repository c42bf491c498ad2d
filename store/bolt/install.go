package bolt

import (
	"bytes"
	"context"
	"fmt"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
)

// installs has the install, its keyring and its last loss.
type installs struct{ db *commit.DB }

// Format implements store.Installs.
func (s *installs) Format() int { return s.db.Format() }

// Install implements store.Installs.
func (s *installs) Install(ctx context.Context) (in store.Install, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		in, err = layout.ReadInstall(tx)
		return err
	})
	return in, err
}

// CreateInstall implements store.Installs.
func (s *installs) CreateInstall(ctx context.Context, in store.Install) error {
	return s.db.Update(ctx, func(t *layout.Tx) error {
		if layout.HasInstall(t) {
			return fmt.Errorf("install: %w", store.ErrExists)
		}
		return layout.PutInstall(t, in)
	})
}

// LoadKeyring implements store.Keyrings.
func (s *installs) LoadKeyring(ctx context.Context) (version uint64, document []byte, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		version, document, err = layout.ReadKeyring(tx)
		document = bytes.Clone(document)
		return err
	})
	return version, document, err
}

// SwapKeyring implements store.Keyrings.
func (s *installs) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (swapped bool, err error) {
	if next <= old {
		return false, fmt.Errorf("swapping the keyring: version %d does not follow %d", next, old)
	}
	swapped, err = commit.Ask(ctx, s.db, func(t *layout.Tx) (bool, error) {
		current, _, err := layout.ReadKeyring(t)
		if err != nil || current != old {
			return false, err
		}
		return true, layout.PutKeyring(t, next, document)
	})
	if err != nil {
		return false, fmt.Errorf("swapping the keyring: %w", err)
	}
	return swapped, nil
}

// Loss implements store.Losses.
func (s *installs) Loss(ctx context.Context) (l store.Loss, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		l, err = layout.ReadLoss(tx)
		return err
	})
	return l, err
}
