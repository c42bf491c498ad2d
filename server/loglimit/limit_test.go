package loglimit

import (
	"fmt"
	"testing"
	"time"
)

// TestLimiter: growth is bounded by key, in all, and in memory; what was left out is counted once.
func TestLimiter(t *testing.T) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	l := NewLimiter(Limit{Window: time.Minute, PerKey: 3, Total: 20, Keys: 10})
	allowed := 0
	for i := range 1000 {
		if l.Allow(at, Key{Type: "login", Client: fmt.Sprint(i % 100)}, "192.0.2.1") {
			allowed++
		}
	}
	if allowed != 20 || len(l.counts) > 11 {
		t.Errorf("got %d recorded and %d counts, want 20 and at most 11", allowed, len(l.counts))
	}
	if early := l.Ended(at.Add(59 * time.Second)); early != nil {
		t.Errorf("the window is not over: %v", early)
	}
	more := 0
	for _, s := range l.Ended(at.Add(time.Minute)) {
		more += s.More
	}
	if more != 980 || l.Ended(at.Add(time.Hour)) != nil {
		t.Errorf("got %d more, want 980, once", more)
	}
	if !l.Allow(at.Add(-time.Hour), Key{Type: "login"}, "") {
		t.Error("a clock that went back leaves everything out")
	}
}
