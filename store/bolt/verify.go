package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/bolt/pages"
	"signet/store/codec"
	"signet/store/seal"
)

// verification is what is known about the state of the file: from the check that Verify begins, and from
// reads that met something damaged.
type verification struct {
	running atomic.Bool
	done    atomic.Bool // a check came to its end
	trusted atomic.Bool // the master keys are known to be right
	found   atomic.Pointer[error]
}

// damage returns what was found damaged first, or nil.
func (v *verification) damage() error {
	if found := v.found.Load(); found != nil {
		return *found
	}
	return nil
}

// noteDamage keeps err, the first one, for Ping and metrics, and logs it once.
func (s *Store) noteDamage(err error) {
	if s.verified.found.CompareAndSwap(nil, &err) {
		s.log.Error("the store is damaged: stop the server and restore a backup; `signet doctor` reads the whole file and lists what is wrong",
			slog.Any("error", err))
	}
}

// unreadable makes sure that a record that cannot be read is ErrUnavailable for the caller, and notes it.
// Other errors stay as they are.
func (s *Store) unreadable(err error) error {
	if !errors.Is(err, codec.ErrMalformed) && !errors.Is(err, file.ErrDamaged) && !errors.Is(err, seal.ErrForged) {
		return err
	}
	if !errors.Is(err, store.ErrUnavailable) {
		err = s.unavailable("reading", err)
	}
	var other *seal.Error
	if errors.As(err, &other) && other.Unknown && !s.verified.trusted.Load() {
		return err // perhaps it is the master key that is wrong
	}
	s.noteDamage(err)
	return err
}

// Verify begins to read the whole file in the background; see Stats and Ping for what comes of it. It is
// for a server: call it once, when the seals of the records are known to be right.
func (s *Store) Verify() {
	s.verified.trusted.Store(true)
	s.running.Go(func() { s.verify(context.Background()) })
}

// verify reads every record and every page once, beside the server's work. Damage makes Ping fail: a
// server that serves from a damaged file must not look healthy. It stays until a restart, since nothing
// here repairs.
func (s *Store) verify(ctx context.Context) {
	begun := time.Now()
	s.verified.running.Store(true)
	defer s.verified.running.Store(false)
	records, err := s.verifyRecords(ctx)
	checked := uint64(0)
	if err == nil {
		checked, err = s.verifyPages(ctx)
	}
	switch {
	case ctx.Err() != nil || s.closed.Load():
	case err != nil:
		s.noteDamage(err)
		s.verified.done.Store(true)
	default:
		s.verified.done.Store(true)
		s.log.Debug("the store was read whole and is in order", slog.Int("records", records), slog.Uint64("pages", checked),
			slog.Duration("took", time.Since(begun).Round(time.Millisecond)))
	}
}

// verifyPages checks the pages of the file; see package pages. It returns their number.
func (s *Store) verifyPages(ctx context.Context) (n uint64, err error) {
	err = s.viewContext(ctx, func(tx snapshot) error {
		n, err = s.file.CheckPages(tx.Tx, func() error { return s.open(ctx) })
		return err
	})
	if errors.Is(err, pages.ErrSnapshotGone) {
		return s.verifyPages(ctx)
	}
	if err != nil {
		return n, file.Damaged(s.file.Path, err.Error())
	}
	return n, nil
}

// verifyRecords goes through all buckets some records at a time. Each span has a snapshot of its own, so
// that a long walk holds up neither the reuse of pages nor the growth of the file's map.
func (s *Store) verifyRecords(ctx context.Context) (n int, err error) {
	for _, name := range slices.Concat(buckets, laterBuckets) {
		var from []byte
		for more := true; more && err == nil; {
			err = s.viewContext(ctx, func(tx snapshot) (err error) {
				var read int
				read, from, err = verifySpan(tx, name, from)
				n, more = n+read, from != nil
				return err
			})
		}
		if err != nil {
			return n, file.Damaged(s.file.Path, fmt.Sprintf("bucket %q: %v", name, err))
		}
	}
	return n, nil
}

// verifySpan checks up to sweepSpan records, beginning at a key, and returns where to go on; nil: nowhere.
func verifySpan(tx snapshot, name, from []byte) (n int, next []byte, err error) {
	b := tx.Bucket(name)
	if b == nil {
		return 0, nil, nil // one of laterBuckets
	}
	c := b.Cursor()
	var last []byte
	for key, value := c.Seek(from); key != nil; key, value = c.Next() {
		if n == sweepSpan {
			return n, bytes.Clone(key), nil
		}
		if last != nil && bytes.Compare(last, key) >= 0 {
			return n, nil, errors.New("its keys are out of order")
		}
		last = key
		n++
		if err := checkRecord(tx, name, key, value); err != nil {
			return n, nil, err
		}
	}
	return n, nil, nil
}
