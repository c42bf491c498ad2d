package bolt

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"signet/store"
	"signet/store/bolt/layout"
)

const writeBehind = time.Second // of package commit

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

// TestWriteBehindAgain: what a failed commit did not write is written once it works again, without
// a request.
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
