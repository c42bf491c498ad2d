package upkeep

import (
	"bytes"
	"context"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
)

// Sealer has the methods of store.Sealer that change the file.
type Sealer struct{ DB *commit.DB }

// RaiseFormat implements store.Sealer.
func (s *Sealer) RaiseFormat(ctx context.Context, format int) error {
	if s.DB.Format() >= format {
		return nil
	}
	return s.DB.Update(ctx, func(tx *layout.Tx) error {
		raised, err := layout.RaiseFormat(tx, format)
		if err != nil {
			return err
		}
		tx.Tx.OnCommit(func() { s.DB.SetFormat(raised) })
		return nil
	})
}

// SealRecords implements store.Sealer.
func (s *Sealer) SealRecords(ctx context.Context, progress func(store.Sealing)) (done store.Sealing, err error) {
	for _, b := range layout.Buckets {
		unsealed := func(tx *layout.Tx, key, sealed []byte) (bool, error) {
			if b.Kind(key) == "" {
				return false, nil
			}
			if !tx.Tx.Writable() { // else it was looked at before
				done.Looked++
			}
			if tx.Seals.Current(sealed) {
				return false, nil
			}
			_, err := tx.Open(b, key, sealed)
			return err == nil, err
		}
		reseal := func(tx *layout.Tx, key, sealed []byte) error { return layout.Reseal(tx, b, key, sealed) }
		for from, more := []byte(nil), true; more; more = from != nil {
			var n int
			if _, n, from, err = change(ctx, s.DB, b, from, unsealed, reseal); err != nil {
				return done, err
			}
			done.Sealed += n
			progress(done)
		}
	}
	return done, nil
}

// change looks at a span of a bucket in a snapshot, beginning at a key. It then changes the records that pick has accepted, as
// part of a commit, where pick still does. It returns how many it has looked at and changed, and where to go on.
func change(ctx context.Context, db *commit.DB, b *layout.Bucket, from []byte, pick func(tx *layout.Tx, key, sealed []byte) (bool, error),
	do func(tx *layout.Tx, key, sealed []byte) error) (looked, changed int, next []byte, err error) {
	var keys [][]byte
	err = db.View(ctx, func(tx *layout.Tx) (err error) {
		next, err = tx.Span(b, from, layout.SpanSize, func(key, sealed []byte) error {
			looked++
			picked, err := pick(tx, key, sealed)
			if picked {
				keys = append(keys, bytes.Clone(key))
			}
			return err
		})
		return err
	})
	if err != nil || len(keys) == 0 {
		return looked, 0, next, err
	}
	changed, err = commit.Ask(ctx, db, func(tx *layout.Tx) (n int, err error) {
		for _, key := range keys {
			sealed := tx.Raw(b, key)
			if sealed == nil {
				continue
			}
			picked, err := pick(tx, key, sealed)
			if picked {
				n++
				err = do(tx, key, sealed)
			}
			if err != nil {
				return n, err
			}
		}
		return n, nil
	})
	return looked, changed, next, err
}
