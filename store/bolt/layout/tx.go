package layout

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/codec"
	"signet/store/seal"
)

// SpanSize is how many records a walk through a bucket looks at in one snapshot.
const SpanSize = 4096

// Tx is a transaction that seals and opens records. It counts writes, so that a committer can find out whether a request
// that failed has left something behind. One of a snapshot cannot write.
type Tx struct {
	Tx     *bbolt.Tx
	Seals  *seal.Keys // nil: records have none
	Format int        // of the records that are written
	Writes int        // so far

	Now        time.Time // when it began; zero in one of a snapshot
	MaxLogouts int       // how many logouts wait at most
}

// Bucket returns the bucket, or nil where it is missing.
func (tx *Tx) Bucket(b *Bucket) *bbolt.Bucket { return tx.Tx.Bucket(b.name) }

// Raw returns what lies under the key, sealed as it is: to see whether there is something, or whether it
// has changed.
func (tx *Tx) Raw(b *Bucket, key []byte) []byte { return tx.Bucket(b).Get(key) }

// Record returns the record that has the key, and nil where there is none.
func (tx *Tx) Record(b *Bucket, key []byte) ([]byte, error) {
	sealed := tx.Raw(b, key)
	if sealed == nil {
		return nil, nil
	}
	return tx.Open(b, key, sealed)
}

// Open returns the record of what lies under the key, which the caller has read.
func (tx *Tx) Open(b *Bucket, key, sealed []byte) ([]byte, error) {
	kind := b.Kind(key)
	if kind == "" {
		return sealed, nil
	}
	return tx.Seals.Open(kind, key, sealed)
}

// Put seals the record. A store of format 1 stays readable for a Signet that has no seals.
func (tx *Tx) Put(b *Bucket, key, record []byte) error {
	if kind := b.Kind(key); kind != "" && tx.Format >= store.Format2 {
		record = tx.Seals.Seal(kind, key, record)
	}
	tx.Writes++
	return tx.Bucket(b).Put(key, record)
}

// Delete deletes the record.
func (tx *Tx) Delete(b *Bucket, key []byte) error {
	tx.Writes++
	return tx.Bucket(b).Delete(key)
}

// Span visits up to limit records, sealed as they are, beginning at a key, and returns the key to go on at; nil: the
// bucket has no more.
func (tx *Tx) Span(b *Bucket, from []byte, limit int, visit func(key, sealed []byte) error) (next []byte, err error) {
	bucket := tx.Bucket(b)
	if bucket == nil {
		return nil, nil // one that is made later
	}
	c := bucket.Cursor()
	n := 0
	for key, sealed := c.Seek(from); key != nil; key, sealed = c.Next() {
		if n++; n > limit {
			return bytes.Clone(key), nil
		}
		if err := visit(key, sealed); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// After is the first key behind another one.
func After(key string) []byte { return []byte(key + "\x00") }

// ReadTime returns the time that is the record under a key; zero where there is none. sealed is what lies there.
func ReadTime(tx *Tx, b *Bucket, key, sealed []byte) (t time.Time, err error) {
	if sealed == nil {
		return t, nil
	}
	raw, err := tx.Open(b, key, sealed)
	if err != nil {
		return t, err
	}
	r := codec.NewReader(raw)
	t = r.Time()
	return t, r.End()
}

// PutTime writes a time.
func PutTime(tx *Tx, b *Bucket, key []byte, t time.Time) error {
	return tx.Put(b, key, codec.AppendTime(nil, t))
}

// PutMark marks a revoked token or a used assertion until a time, and never for less than it is marked already.
func PutMark(tx *Tx, b *Bucket, key []byte, until time.Time) error {
	before, err := ReadTime(tx, b, key, tx.Raw(b, key))
	if err != nil && !errors.Is(err, codec.ErrMalformed) {
		return fmt.Errorf("%w: reading a mark: %w", store.ErrUnavailable, err)
	}
	if err == nil && !before.IsZero() && !before.Before(store.Millis(until)) {
		return nil
	}
	return PutTime(tx, b, key, until)
}
