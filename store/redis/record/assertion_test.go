package record

import (
	"encoding/binary"
	"testing"
	"time"

	"signet/store"
)

// TestUsedAssertionsAreBounded: what is remembered of used assertions goes when they are over, and the oldest go
// when there are too many.
func TestUsedAssertionsAreBounded(t *testing.T) {
	m := usedAssertions{ids: map[store.AssertionID]struct{}{}}
	now := time.Now()
	end := now.Add(time.Hour)
	nth := func(n int, until time.Time) store.UsedAssertion {
		a := store.UsedAssertion{Until: until}
		binary.BigEndian.PutUint64(a.ID[:], uint64(n))
		return a
	}
	for n := range usedMost + 1 {
		if !m.add(nth(n, end), now) {
			t.Fatalf("assertion %d was there", n)
		}
	}
	if m.add(nth(1, end), now) || len(m.ids) != usedMost || len(m.order) != usedMost {
		t.Errorf("got %d and %d, want %d, with the second", len(m.ids), len(m.order), usedMost)
	}
	over := end.Add(store.AssertionMargin)
	if got := len(m.left(over)); got != 0 {
		t.Errorf("left when all are over: got %d, want 0", got)
	}
	if got := len(m.left(over.Add(-1))); got != usedMost {
		t.Errorf("left just before: got %d, want %d", got, usedMost)
	}
	if !m.add(nth(0, over), over) || len(m.ids) != 1 || len(m.order) != 1 {
		t.Errorf("after their time: got %d and %d, want the new one", len(m.ids), len(m.order))
	}
}
