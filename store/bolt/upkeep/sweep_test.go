package upkeep

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testDB(t *testing.T) *commit.DB {
	t.Helper()
	path := filepath.Join(t.TempDir(), "signet.db")
	_, err := file.Make(path, layout.Initialise)
	must(t, err)
	db, err := commit.Open(path, commit.Config{})
	must(t, err)
	db.File.DB.NoSync = true // no test here cuts the power
	db.Start()
	t.Cleanup(func() { db.Close() })
	return db
}

// mark writes n marks, some hundred in a transaction: bbolt takes the longer for each, the more of them are new.
func mark(t *testing.T, db *commit.DB, b *layout.Bucket, kind string, n int, until time.Time) {
	t.Helper()
	for i := 0; i < n; {
		must(t, db.File.DB.Update(func(tx *bbolt.Tx) error {
			for range min(n-i, 500) {
				if err := layout.PutMark(&layout.Tx{Tx: tx}, b, fmt.Appendf(nil, "%s %d", kind, i), until); err != nil {
					return err
				}
				i++
			}
			return nil
		}))
	}
}

var day = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// TestSweepAssertions: used assertions go when they are over by every clock, many spans of them at once, and no other goes
// with them.
func TestSweepAssertions(t *testing.T) {
	t.Parallel()
	db, over := testDB(t), 3*layout.SpanSize+7
	mark(t, db, layout.Assertions, "over", over, day)
	mark(t, db, layout.Assertions, "later", 1, day.Add(time.Millisecond))
	s := Sweeper{DB: db}
	for _, step := range []struct {
		now  time.Time
		want int
	}{{day, 0}, {day.Add(store.AssertionMargin - time.Millisecond), 0}, {day.Add(store.AssertionMargin), over}} {
		if n, err := s.Sweep(t.Context(), step.now, store.Lifetimes{}); n != step.want || err != nil {
			t.Errorf("Sweep at %v: got %d, %v, want %d", step.now, n, err, step.want)
		}
	}
	must(t, db.View(t.Context(), func(tx *layout.Tx) error {
		if tx.Raw(layout.Assertions, []byte("later 0")) == nil || tx.Raw(layout.Assertions, []byte("over 0")) != nil {
			t.Error("another one was swept than those that are over")
		}
		return nil
	}))
}

// TestSweepKeepsUp: marks that run out faster than one span a Sweep go with the next one all the same,
// however many are still alive. 200 revocations a second of tokens that live for an hour.
func TestSweepKeepsUp(t *testing.T) {
	t.Parallel()
	const dead, alive = 12_000, 30_000
	db := testDB(t)
	s := Sweeper{DB: db}
	mark(t, db, layout.Revoked, "alive", alive, day.Add(time.Hour))
	for minute := range 3 {
		mark(t, db, layout.Revoked, fmt.Sprint("dead ", minute), dead, day)
		if n, err := s.Sweep(t.Context(), day, store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}); n != dead || err != nil {
			t.Errorf("minute %d: swept %d, %v, want %d", minute, n, err, dead)
		}
	}
	if got := s.Rounds()["revoked_tokens"].Records; got != alive {
		t.Errorf("%d records are counted, want %d", got, alive)
	}
}

// TestChangeLooksAgain: a record that is another one when the transaction comes is left alone.
func TestChangeLooksAgain(t *testing.T) {
	t.Parallel()
	db := testDB(t)
	mark(t, db, layout.Revoked, "token", 2, day)
	over := func(tx *layout.Tx, key, sealed []byte) (bool, error) {
		until, err := layout.ReadTime(tx, layout.Revoked, key, sealed)
		return !day.Before(until), err
	}
	pick := func(tx *layout.Tx, key, sealed []byte) (bool, error) {
		picked, err := over(tx, key, sealed)
		if picked && !tx.Tx.Writable() && string(key) == "token 1" { // then it is marked for longer
			mark(t, db, layout.Revoked, "token", 1, day.Add(time.Hour))
		}
		return picked, err
	}
	remove := func(tx *layout.Tx, key, _ []byte) error { return tx.Delete(layout.Revoked, key) }
	looked, changed, next, err := change(t.Context(), db, layout.Revoked, nil, pick, remove)
	if looked != 2 || changed != 1 || next != nil || err != nil {
		t.Errorf("got %d looked at, %d changed, %q, %v, want one of two changed", looked, changed, next, err)
	}
}
