package clockcheck

import (
	"errors"
	"testing"
	"time"
)

// TestLatest: a clock behind the latest time that was seen is wrong, until that time is reached or reset.
func TestLatest(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	c := New(func() time.Time { return now }, time.Minute, func() {})
	if err := c.Check(); err != nil || !c.Latest().Equal(start) {
		t.Fatalf("at first: got %v, latest %v", err, c.Latest())
	}
	for _, step := range []struct {
		name   string
		do     func()
		behind time.Duration
		latest time.Time
	}{
		{"back within the tolerance", func() { now = start.Add(-time.Minute) }, 0, start},
		{"back by more", func() { now = start.Add(-2 * time.Minute) }, 2 * time.Minute, start},
		{"a later time from elsewhere", func() { c.Merge(start.Add(time.Hour), 0) }, time.Hour + 2*time.Minute, start.Add(time.Hour)},
		{"an earlier one", func() { c.Merge(start, 0) }, time.Hour + 2*time.Minute, start.Add(time.Hour)},
		{"an earlier one after a reset", func() { c.Merge(start, 1) }, 2 * time.Minute, start},
		{"one from before that reset", func() { c.Merge(start.Add(time.Hour), 0) }, 2 * time.Minute, start},
		{"a reset here", func() { c.Reset(now, 2) }, 0, start.Add(-2 * time.Minute)},
		{"forward", func() { now = start.Add(time.Minute) }, 0, start.Add(time.Minute)},
		{"a time that a key has reached", func() { c.Raise(start.Add(time.Hour)) }, 59 * time.Minute, start.Add(time.Hour)},
	} {
		step.do()
		err := c.Check()
		if c.Behind() != step.behind || errors.Is(err, ErrClock) != (step.behind > 0) || !c.Latest().Equal(step.latest) {
			t.Errorf("%s: behind %v, latest %v, %v; want behind %v, latest %v", step.name, c.Behind(), c.Latest(), err, step.behind, step.latest)
		}
		if got := c.Now(); got.Before(c.Latest()) {
			t.Errorf("%s: the correct time %v is before the latest", step.name, got)
		}
	}
}
