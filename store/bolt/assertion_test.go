package bolt

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
	"signet/store/codec"
)

// TestSweepAssertions: they go when they are over by every clock, many spans of them at once, and no
// other goes with them.
func TestSweepAssertions(t *testing.T) {
	t.Parallel()
	s, over := testStore(t), 3*layout.SpanSize+7
	until := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	must(t, s.db.File.DB.Update(func(tx *bbolt.Tx) error {
		for i := range over {
			id := store.AssertionID{}
			binary.BigEndian.PutUint64(id[:], uint64(i))
			if err := tx.Bucket([]byte(layout.Assertions.String())).Put(id[:], codec.AppendTime(nil, until)); err != nil {
				return err
			}
		}
		return nil
	}))
	later := store.AssertionID{1}
	must(t, s.UseAssertion(t.Context(), later, until.Add(time.Millisecond)))
	for _, step := range []struct {
		now  time.Time
		want int
	}{{until, 0}, {until.Add(store.AssertionMargin - time.Millisecond), 0}, {until.Add(store.AssertionMargin), over}} {
		if n, err := s.Sweep(t.Context(), step.now, store.Lifetimes{}); n != step.want || err != nil {
			t.Errorf("Sweep at %v: got %d, %v, want %d", step.now, n, err, step.want)
		}
	}
	if err := s.UseAssertion(t.Context(), later, until); !errors.Is(err, store.ErrExists) {
		t.Errorf("UseAssertion of one that is not over: got %v, want ErrExists", err)
	}
	if err := s.UseAssertion(t.Context(), store.AssertionID{}, until); err != nil {
		t.Errorf("UseAssertion of one that was swept: %v", err)
	}
}

// TestFileFromBeforeAssertions: a file of this schema may lack the bucket. It is whole, and gets it.
func TestFileFromBeforeAssertions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	must(t, Import(t.Context(), path, nil, moveManifest, stream(moveRecords(), nil)))
	db, err := bbolt.Open(path, 0o600, nil)
	must(t, err)
	must(t, db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(layout.Assertions.String())) }))
	must(t, db.Close())
	must(t, Check(path, nil))

	s := mustOpen(t, path)
	if got, want := len(exported(t, s)), len(moveRecords())-1; got != want { // without the assertion
		t.Errorf("records: got %d, want %d", got, want)
	}
	_, err = s.Sweep(t.Context(), moveDay, store.Lifetimes{Idle: time.Hour, Absolute: time.Hour})
	must(t, err)
	must(t, s.UseAssertion(t.Context(), store.AssertionID{1}, moveDay))
	must(t, s.Close())
	must(t, Check(path, nil))
	if err := mustOpen(t, path).UseAssertion(t.Context(), store.AssertionID{1}, moveDay); !errors.Is(err, store.ErrExists) {
		t.Errorf("after reopening: got %v, want ErrExists", err)
	}
}
