package throttle

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestCountsAreBounded: a flood of keys pushes out what matters least, and not what is being throttled.
func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "signet.db")
	_, err := file.Make(path, layout.Initialise)
	must(t, err)
	db, err := commit.Open(path, commit.Config{}) // not started: nothing is written
	must(t, err)
	defer db.Close()
	c, err := New(db)
	must(t, err)

	count := func(key string) time.Duration {
		t.Helper()
		wait, err := c.Count(t.Context(), time.Unix(1<<30, 0), store.Scope{Limits: []store.Limit{{Key: key, Free: 5, Window: time.Hour}}})
		must(t, err)
		return wait
	}
	for range 5 {
		count("hot")
	}
	for i := range maxCounts + 10_000 {
		count(fmt.Sprint(i))
	}
	if len(c.byKey) != maxCounts {
		t.Errorf("got %d counts, want %d", len(c.byKey), maxCounts)
	}
	if count("hot") == 0 {
		t.Error("the flood has made a full bucket forget")
	}
}
