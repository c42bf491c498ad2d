package throttle

import (
	"fmt"
	"testing"
	"time"

	"signet/store"
)

// TestCountsAreBounded: a flood of keys pushes out what matters least, and not what is being throttled.
func TestCountsAreBounded(t *testing.T) {
	t.Parallel()
	c := Counts{byKey: map[string]tally{}, changed: map[string]struct{}{}}
	now := time.Now()
	hot := store.Limit{Key: "hot", Free: 5, Window: time.Hour}
	for range 5 {
		c.count(now, store.Scope{Limits: []store.Limit{hot}})
	}
	for i := range maxCounts + 10_000 {
		c.count(now, store.Scope{Limits: []store.Limit{{Key: fmt.Sprint(i), Free: 5, Window: time.Hour}}})
	}
	if len(c.byKey) != maxCounts {
		t.Errorf("got %d counts, want %d", len(c.byKey), maxCounts)
	}
	if wait := c.count(now, store.Scope{Limits: []store.Limit{hot}}); wait == 0 {
		t.Errorf("the flood has made a full bucket forget")
	}
}
