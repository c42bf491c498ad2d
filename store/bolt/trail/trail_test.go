package trail

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

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

// open opens the trail of the file at path, and makes the file where there is none.
func open(t *testing.T, path string, keep store.Retention) *Trail {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		_, err := file.Make(path, layout.Initialise)
		must(t, err)
	}
	db, err := commit.Open(path, commit.Config{})
	must(t, err)
	db.File.DB.NoSync = true // no test here cuts the power
	a, err := New(db, store.ShareRetention(0, keep))
	must(t, err)
	db.Start(a)
	must(t, db.Update(t.Context(), (*layout.Tx).AddBuckets))
	must(t, a.Open(t.Context()))
	t.Cleanup(func() { db.Close() })
	return a
}

// stored counts the events that are committed.
func stored(t *testing.T, a *Trail) (n int) {
	t.Helper()
	must(t, a.db.View(t.Context(), func(tx *layout.Tx) error {
		n = tx.Bucket(layout.Audit).Stats().KeyN
		return nil
	}))
	return n
}

func TestRetention(t *testing.T) {
	t.Parallel()
	keep := store.Retention{store.ClassSessions: 10}
	path := filepath.Join(t.TempDir(), "signet.db")
	a := open(t, path, keep)
	for i := range 35 {
		must(t, a.AppendEvents(t.Context(), []store.Event{{Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: fmt.Sprint(i)}}))
		if i%7 == 0 {
			must(t, a.db.Close())
			a = open(t, path, keep)
		}
	}
	must(t, a.db.Close())
	a = open(t, path, nil)
	events, err := a.Events(t.Context(), store.EventQuery{})
	must(t, err)
	if len(events) != 10 || events[0].RequestID != "25" || events[9].Seq != 35 {
		t.Errorf("got %d events from %q, want the last ten of 35", len(events), events[0].RequestID)
	}
}

// TestBacklog: while nothing can be written, so many events are kept in memory and no more.
func TestBacklog(t *testing.T) {
	t.Parallel()
	a := open(t, filepath.Join(t.TempDir(), "signet.db"), nil)
	fail := func(tx *bbolt.Tx) error { return errors.Join(errors.New("no space left"), tx.Rollback()) }
	a.db.Commit.Store(&fail)
	batch := make([]store.Event, 100)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = a.AppendEvents(t.Context(), batch)
	}
	if !errors.Is(err, store.ErrUnavailable) || n > maxPending/100+1 {
		t.Errorf("got %v after %d batches, want a refusal at %d events", err, n, maxPending)
	}
}

// TestEventsOfEarlierVersion: a file whose events are in no class, or some of them, keeps them all, and each
// class then loses its own oldest.
func TestEventsOfEarlierVersion(t *testing.T) {
	t.Parallel()
	rings := []byte(layout.AuditRings.String())
	for _, c := range []struct {
		name   string
		forget func(tx *bbolt.Tx) error // what an earlier version has not written
	}{
		{"never indexed", func(tx *bbolt.Tx) error { return tx.DeleteBucket(rings) }},
		{"the last half written by an earlier version", func(tx *bbolt.Tx) error {
			for class := range layout.RingPrefixes {
				for seq := uint64(5001); seq <= 10_000; seq++ {
					if err := tx.Bucket(rings).Delete(layout.RingKey(class, seq)); err != nil {
						return err
					}
				}
			}
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "signet.db")
			a := open(t, path, nil)
			for i := range 100 {
				var batch []store.Event
				for range 50 {
					batch = append(batch, store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK}, store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused})
				}
				if i == 0 {
					batch[0].Type = store.EventUserDisable
				}
				must(t, a.AppendEvents(t.Context(), batch))
				if i%10 == 9 {
					must(t, a.db.Flush(t.Context(), func(*layout.Tx) error { return nil }))
				}
			}
			must(t, a.db.Close())
			db, err := bbolt.Open(path, 0o600, nil)
			must(t, err)
			must(t, db.Update(c.forget))
			must(t, db.Close())

			a = open(t, path, store.Retention{store.ClassRefusals: 20})
			if n := stored(t, a); n != 10_000 {
				t.Fatalf("got %d events after the upgrade, want all 10,000", n)
			}
			if want := map[store.EventClass]int{store.ClassAdmin: 1, store.ClassSessions: 4999, store.ClassRefusals: 5000, store.ClassKeys: 0, store.ClassOwn: 0}; !maps.Equal(a.kept, want) {
				t.Errorf("got classes %v, want %v", a.kept, want)
			}
			batch := make([]store.Event, 100)
			for i := range batch {
				batch[i] = store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused}
			}
			for range 30 {
				must(t, a.AppendEvents(t.Context(), batch))
			}
			must(t, a.db.Flush(t.Context(), func(*layout.Tx) error { return nil }))
			if n := stored(t, a); n != 5000+5000-30*100 {
				t.Errorf("got %d events after 3,000 more refusals, want all but two refusals for each", n)
			}
		})
	}
}
