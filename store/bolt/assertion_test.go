package bolt

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/layout"
)

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
