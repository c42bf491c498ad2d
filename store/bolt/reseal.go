package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"

	"signet/store"
	"signet/store/codec"
)

var _ store.Sealer = (*Store)(nil)

// RaiseFormat implements store.Sealer.
func (s *Store) RaiseFormat(ctx context.Context, format int) error {
	if s.Format() >= format {
		return nil
	}
	return s.update(ctx, func(t *txn) error {
		in, err := readInstall(t)
		if err != nil {
			return err
		}
		in.Schema = max(in.Schema, format)
		raw, err := encodeInstall(in)
		if err != nil {
			return err
		}
		t.format = in.Schema
		if err := t.put(bucketMeta, keyInstall, raw); err != nil {
			return err
		}
		t.OnCommit(func() { s.SetFormat(in.Schema) })
		return t.put(bucketMeta, keySchema, binary.BigEndian.AppendUint64(nil, uint64(in.Schema)))
	})
}

// SealRecords implements store.Sealer. It walks as a sweep does: outside of the write transaction, and what
// it found is looked at again in it.
func (s *Store) SealRecords(ctx context.Context, progress func(store.Sealing)) (done store.Sealing, err error) {
	for _, bucket := range slices.Concat(buckets, laterBuckets) {
		for from := []byte(nil); ; {
			var keys [][]byte
			err := s.viewContext(ctx, func(tx snapshot) error {
				var looked int
				keys, from, looked, err = s.unsealed(tx, bucket, from)
				done.Looked += looked
				return err
			})
			if err != nil {
				return done, err
			}
			if len(keys) > 0 {
				n, err := ask(ctx, s, func(t *txn) (int, error) { return s.sealKeys(t, bucket, keys) })
				if err != nil {
					return done, err
				}
				done.Sealed += n
			}
			progress(done)
			if from == nil {
				break
			}
		}
	}
	return done, nil
}

// unsealed returns the keys of up to sweepSpan records that have not the seal that they must have.
func (s *Store) unsealed(tx snapshot, bucket, from []byte) (keys [][]byte, next []byte, looked int, err error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return nil, nil, 0, nil
	}
	c := b.Cursor()
	for key, value := c.Seek(from); key != nil; key, value = c.Next() {
		if looked == sweepSpan {
			return keys, bytes.Clone(key), looked, nil
		}
		if _, has := sealKind(bucket, key); !has {
			continue
		}
		looked++
		if s.seals.Current(value) {
			continue
		}
		if _, err := tx.opened(bucket, key, value); err != nil {
			return nil, nil, looked, err
		}
		keys = append(keys, bytes.Clone(key))
	}
	return keys, nil, looked, nil
}

func (s *Store) sealKeys(t *txn, bucket []byte, keys [][]byte) (n int, err error) {
	for _, key := range keys {
		record, err := t.record(bucket, key)
		if err != nil {
			return n, err
		}
		if record == nil || s.seals.Current(t.get(bucket, key)) {
			continue
		}
		if record, err = reformat(bucket, key, bytes.Clone(record), t.format); err != nil {
			return n, fmt.Errorf("bucket %s: %w", bucket, err)
		}
		if err := t.put(bucket, key, record); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// reformat writes a record in a format, where formats differ.
func reformat(bucket, key, record []byte, format int) ([]byte, error) {
	switch string(bucket) {
	case "users":
		u, err := codec.DecodeUser(record)
		return codec.EncodeUser(u, format), err
	case "sessions":
		session, err := decodeSession(key, record, "")
		return codec.EncodeSession(session, format), err
	case "clients":
		c, err := codec.DecodeClient(record)
		if err != nil {
			return nil, err
		}
		return codec.EncodeClient(c, format)
	case "meta":
		if !bytes.Equal(key, keyInstall) {
			return record, nil
		}
		var in store.Install
		if err := json.Unmarshal(record, &in); err != nil {
			return nil, err
		}
		in.Schema = max(in.Schema, format)
		return encodeInstall(in)
	}
	return record, nil
}
