package layout

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
)

// A mark is the record of a revoked token or of a used assertion: the time until which it matters.

// ValidJTI returns an error for a token id that cannot be stored.
func ValidJTI(jti string) error {
	if jti == "" || len(jti) > bbolt.MaxKeySize {
		return fmt.Errorf("its jti has %d bytes", len(jti))
	}
	return nil
}

// PutMark marks a key until a time, and never for less than it is marked already.
func PutMark(tx *Tx, b *Bucket, key []byte, until time.Time) error {
	before, err := ReadMark(tx, b, key, tx.Raw(b, key))
	if err != nil && !errors.Is(err, codec.ErrMalformed) {
		return fmt.Errorf("%w: reading a mark: %w", store.ErrUnavailable, err)
	}
	if err == nil && !before.IsZero() && !before.Before(store.Millis(until)) {
		return nil
	}
	return tx.Put(b, key, codec.AppendTime(nil, until))
}

// ReadMark returns the time of a mark; zero where there is none. sealed is what lies under the key.
func ReadMark(tx *Tx, b *Bucket, key, sealed []byte) (until time.Time, err error) {
	if sealed == nil {
		return until, nil
	}
	raw, err := tx.Open(b, key, sealed)
	if err != nil {
		return until, err
	}
	r := codec.NewReader(raw)
	until = r.Time()
	return until, r.End()
}
