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
		for from, more := []byte(nil), true; more; more = from != nil {
			var keys [][]byte
			err := s.DB.View(ctx, func(tx *layout.Tx) error {
				var looked int
				keys, from, looked, err = unsealed(tx, b, from)
				done.Looked += looked
				return err
			})
			if err != nil {
				return done, err
			}
			if len(keys) > 0 {
				n, err := commit.Ask(ctx, s.DB, func(tx *layout.Tx) (int, error) { return sealKeys(tx, b, keys) })
				if err != nil {
					return done, err
				}
				done.Sealed += n
			}
			progress(done)
		}
	}
	return done, nil
}

// unsealed returns the keys of the records of a span that do not have the seal that they must have.
func unsealed(tx *layout.Tx, b *layout.Bucket, from []byte) (keys [][]byte, next []byte, looked int, err error) {
	next, err = tx.Span(b, from, func(key, sealed []byte) error {
		if b.Kind(key) == "" {
			return nil
		}
		looked++
		if tx.Seals.Current(sealed) {
			return nil
		}
		keys = append(keys, bytes.Clone(key))
		_, err := tx.Open(b, key, sealed)
		return err
	})
	return keys, next, looked, err
}

func sealKeys(tx *layout.Tx, b *layout.Bucket, keys [][]byte) (n int, err error) {
	for _, key := range keys {
		sealed := tx.Raw(b, key)
		if sealed == nil || tx.Seals.Current(sealed) {
			continue
		}
		if err := layout.Reseal(tx, b, key, sealed); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
