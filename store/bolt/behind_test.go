package bolt

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

const (
	writeBehind = time.Second // of package commit
	maxPending  = 8192        // of package trail
)

// written counts the records of a bucket that are committed.
func written(t *testing.T, s *Store, bucket *layout.Bucket) (n int) {
	t.Helper()
	must(t, s.db.View(t.Context(), func(tx *layout.Tx) error { n = tx.Bucket(bucket).Stats().KeyN; return nil }))
	return n
}

func TestWriteBehind(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, path)
		defer s.Close()
		ctx := context.Background()
		must(t, s.AppendEvents(ctx, []store.Event{{Type: "login"}}))
		_, err := s.Count(ctx, time.Now(), store.Scope{Limits: []store.Limit{{Key: "x", Free: 1, Window: time.Minute}}})
		must(t, err)
		time.Sleep(writeBehind - time.Millisecond)
		synctest.Wait()
		if a, c := written(t, s, layout.Audit), written(t, s, layout.Throttle); a != 0 || c != 0 {
			t.Errorf("before a second: got %d events and %d counts, want none", a, c)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if a, c := written(t, s, layout.Audit), written(t, s, layout.Throttle); a != 1 || c != 1 {
			t.Errorf("after a second: got %d events and %d counts, want one each", a, c)
		}
		must(t, s.ClearThrottle(ctx, "", []string{"x"}))
		time.Sleep(writeBehind + time.Millisecond)
		synctest.Wait()
		if c := written(t, s, layout.Throttle); c != 0 {
			t.Errorf("after ClearThrottle: got %d counts, want none", c)
		}
	})
}

// TestWriteBehindAgain: what a failed commit did not write is written once it works again, with
// nobody asking.
func TestWriteBehindAgain(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, path)
		defer s.Close()
		ctx := context.Background()
		clear := s.injectFault(0)
		must(t, s.AppendEvents(ctx, []store.Event{{Type: "login"}}))
		_, err := s.Count(ctx, time.Now(), store.Scope{Limits: []store.Limit{{Key: "x", Free: 1, Window: time.Minute}}})
		must(t, err)
		time.Sleep(10 * writeBehind)
		synctest.Wait()
		if err := s.Ping(ctx); err == nil {
			t.Errorf("Ping: got nothing, want the failure")
		}
		events, err := s.Events(ctx, store.EventQuery{})
		must(t, err)
		if len(events) != 1 {
			t.Errorf("got %d events meanwhile, want the one that waits", len(events))
		}
		clear()
		time.Sleep(2 * writeBehind)
		synctest.Wait()
		if a, c := written(t, s, layout.Audit), written(t, s, layout.Throttle); a != 1 || c != 1 {
			t.Errorf("got %d events and %d counts, want one each", a, c)
		}
	})
}

func TestAuditRetention(t *testing.T) {
	t.Parallel()
	keep := store.Retention{store.ClassSessions: 10}
	path := filepath.Join(t.TempDir(), "signet.db")
	s, err := Open(path, Options{Create: true, Retention: keep})
	must(t, err)
	ctx := context.Background()
	for i := range 35 {
		must(t, s.AppendEvents(ctx, []store.Event{{Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: fmt.Sprint(i)}}))
		if i%7 == 0 {
			must(t, s.Close())
			s, err = Open(path, Options{Retention: keep})
			must(t, err)
		}
	}
	must(t, s.Close())
	s = mustOpen(t, path)
	events, err := s.Events(ctx, store.EventQuery{})
	must(t, err)
	if len(events) != 10 || events[0].RequestID != "25" || events[9].Seq != 35 {
		t.Errorf("got %d events from %q, want the last ten of 35", len(events), events[0].RequestID)
	}
}

func TestAuditBacklog(t *testing.T) {
	t.Parallel()
	s := testStore(t)
	s.injectFault(0)
	ctx := context.Background()
	batch := make([]store.Event, 100)
	var err error
	n := 0
	for ; err == nil && n < 1000; n++ {
		err = s.AppendEvents(ctx, batch)
	}
	if err == nil || n > maxPending/100+1 {
		t.Errorf("got %v after %d batches, want a refusal at %d events", err, n, maxPending)
	}
}
