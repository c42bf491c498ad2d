package upkeep

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/bolt/pages"
)

// Verifier reads every record and every page once, beside the server's work.
type Verifier struct {
	DB   *commit.DB
	done atomic.Bool // a check came to its end
}

// Verify begins to read the whole file in the background; see Verified and commit.DB.Damage for what comes of it. It is
// for a server: call it once, when the seals of the records are known to be right.
//
// Damage makes Ping fail: a server that serves from a damaged file must not look healthy. It stays until a restart, since
// nothing here repairs.
func (v *Verifier) Verify() {
	v.DB.TrustKeys()
	v.DB.Go(func() { v.verify(context.Background()) })
}

// Verified reports whether the check came to its end.
func (v *Verifier) Verified() bool { return v.done.Load() }

func (v *Verifier) verify(ctx context.Context) {
	begun := time.Now()
	records, err := layout.Check(func(read func(tx *layout.Tx) error) error { return v.DB.View(ctx, read) })
	if err != nil {
		err = file.Damaged(v.DB.File.Path, err.Error())
	}
	checked := uint64(0)
	if err == nil {
		checked, err = v.pages(ctx)
	}
	switch {
	case v.DB.Usable(ctx) != nil:
	case err != nil:
		v.DB.NoteDamage(err)
		v.done.Store(true)
	default:
		v.done.Store(true)
		v.DB.Log.Debug("the store was read whole and is in order", slog.Int("records", records), slog.Uint64("pages", checked),
			slog.Duration("took", time.Since(begun).Round(time.Millisecond)))
	}
}

// pages checks the pages of the file; see package pages. It returns their number.
func (v *Verifier) pages(ctx context.Context) (n uint64, err error) {
	err = v.DB.View(ctx, func(tx *layout.Tx) error {
		n, err = v.DB.File.CheckPages(tx.Tx, func() error { return v.DB.Usable(ctx) })
		return err
	})
	if errors.Is(err, pages.ErrSnapshotGone) {
		return v.pages(ctx)
	}
	if err != nil {
		return n, file.Damaged(v.DB.File.Path, err.Error())
	}
	return n, nil
}
