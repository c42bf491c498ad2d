package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

// try is one attempt at a time after the beginning and the wait that it meets.
type try struct {
	at   time.Duration
	wait time.Duration
	same string
}

const mi = time.Minute

// throttles are about one bucket each.
var throttles = []struct {
	name   string
	bucket store.Bucket
	tries  []try
}{
	{"limit and window", store.Bucket{Limit: 2, Window: mi}, []try{
		{at: 0}, {at: 10 * s1}, {at: 20 * s1, wait: 40 * s1}, {at: 59 * s1, wait: s1}, {at: mi - ms, wait: ms},
		{at: mi}, {at: mi}, {at: mi + s1, wait: 59 * s1},
	}},
	{"the window counts from the first attempt", store.Bucket{Limit: 2, Window: mi}, []try{
		{at: 0}, {at: 59 * s1}, {at: 60 * s1}, {at: 61 * s1}, {at: 62 * s1, wait: 58 * s1},
	}},
	{"a limit of nothing", store.Bucket{Limit: 0, Window: mi}, []try{{at: 0, wait: mi}, {at: s1, wait: mi}}},
	{"backoff doubles from one second to its most", store.Bucket{Limit: 2, Window: 10 * mi, Backoff: 6 * s1}, []try{
		{at: 0}, {at: 0},
		{at: 0, wait: s1}, {at: s1 - ms, wait: ms}, {at: s1},
		{at: s1, wait: 2 * s1}, {at: 3 * s1},
		{at: 3 * s1, wait: 4 * s1}, {at: 7 * s1},
		{at: 7 * s1, wait: 6 * s1}, {at: 13 * s1},
		{at: 13 * s1, wait: 6 * s1}, {at: 19 * s1}, {at: 24 * s1, wait: s1},
	}},
	{"with backoff the window counts from the last attempt", store.Bucket{Limit: 1, Window: mi, Backoff: 4 * s1}, []try{
		{at: 0}, {at: 30 * s1}, {at: 80 * s1}, {at: 80 * s1, wait: 4 * s1},
		{at: 80*s1 + mi}, {at: 80*s1 + mi, wait: s1},
	}},
	{"backoff below a second", store.Bucket{Limit: 1, Window: mi, Backoff: 500 * ms}, []try{{at: 0}, {at: 0, wait: 500 * ms}, {at: 500 * ms}}},
	{"refusals count nothing", store.Bucket{Limit: 1, Window: mi, Backoff: 8 * s1}, []try{
		{at: 0}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: s1}, {at: s1, wait: 2 * s1},
	}},
	{"the same attempt counts once", store.Bucket{Limit: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "a"}, {at: 10 * s1, same: "a"},
		{at: 10*s1 + ms, same: "a", wait: 50*s1 - ms},
		{at: 11 * s1, same: "b", wait: 49 * s1},
	}},
	{"the same attempt, but not the one before", store.Bucket{Limit: 2, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b"}, {at: 2 * s1, same: "a", wait: 58 * s1}, {at: 2 * s1, same: "b"},
	}},
	{"a refused attempt is not the one before", store.Bucket{Limit: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b", wait: 59 * s1}, {at: 2 * s1, same: "b", wait: 58 * s1}, {at: 2 * s1, same: "a"},
	}},
	{"attempts without Same are all different", store.Bucket{Limit: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0}, {at: 0, wait: mi},
	}},
	{"a clock that runs backwards", store.Bucket{Limit: 1, Window: mi, Backoff: 8 * s1}, []try{
		{at: 10 * s1}, {at: 0, wait: s1}, {at: 11 * s1},
	}},
}

// soon is now in whole milliseconds: throttle times stay near the clock, because a backend may also
// let its records run out by it.
func soon() time.Time { return time.Now().Truncate(time.Millisecond) }

func testThrottle(t *testing.T, b Backend) {
	begin := soon()
	for _, c := range throttles {
		t.Run(c.name, func(t *testing.T) {
			bucket := c.bucket
			bucket.Key = "key-" + randomName()
			for i, try := range c.tries {
				bucket.Same = []byte(try.same)
				wait, err := b.Store.Take(context.Background(), begin.Add(try.at), at("here", bucket))
				noError(t, "Take", err)
				if wait != try.wait {
					t.Fatalf("attempt %d, at %v: got a wait of %v, want %v", i+1, try.at, wait, try.wait)
				}
			}
		})
	}
}

func take(t *testing.T, s store.Store, now time.Time, buckets ...store.Bucket) time.Duration {
	t.Helper()
	return must[time.Duration](t, "Take")(s.Take(context.Background(), now, at("here", buckets...)))
}

func at(place string, buckets ...store.Bucket) store.Attempt {
	return store.Attempt{Place: place, Buckets: buckets}
}

func forgive(t *testing.T, s store.Store, clear, refund []string) {
	t.Helper()
	noError(t, "Forgive", s.Forgive(context.Background(), store.Forgiveness{Place: "here", Clear: clear, Refund: refund}))
}

func testForgive(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	x, y := store.Bucket{Key: "x", Limit: 2, Window: mi}, store.Bucket{Key: "y", Limit: 2, Window: mi}
	for range 2 {
		equal(t, "wait", take(t, s, now, x, y), 0*s1)
	}
	equal(t, "x is full", take(t, s, now, x), mi)
	forgive(t, s, []string{"x", "unknown"}, []string{"y", "unknown"})
	equal(t, "x, cleared, takes two", []time.Duration{take(t, s, now, x), take(t, s, now, x), take(t, s, now, x)}, []time.Duration{0, 0, mi})
	equal(t, "y, refunded, takes one", []time.Duration{take(t, s, now, y), take(t, s, now, y)}, []time.Duration{0, mi})
	for range 5 {
		forgive(t, s, nil, []string{"y"})
	}
	equal(t, "y, refunded beyond its count, takes two", []time.Duration{take(t, s, now, y), take(t, s, now, y), take(t, s, now, y)}, []time.Duration{0, 0, mi})
}

func testTakeAll(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	narrow, wide := store.Bucket{Key: "narrow", Limit: 1, Window: mi}, store.Bucket{Key: "wide", Limit: 2, Window: 2 * mi}
	equal(t, "both free", take(t, s, now, narrow, wide), 0*s1)
	equal(t, "one refuses", take(t, s, now, wide, narrow), mi)
	equal(t, "the other has not counted", take(t, s, now, wide), 0*s1)
	equal(t, "both refuse: the longer wait", take(t, s, now, narrow, wide), 2*mi)
	equal(t, "no buckets", take(t, s, now), 0*s1)
	elsewhere := must[time.Duration](t, "Take")(s.Take(context.Background(), now, at("elsewhere", narrow, wide)))
	equal(t, "the same keys in another place", elsewhere, 0*s1)
}

func testThrottleRace(t *testing.T, b Backend) {
	now := soon()
	var passed atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			wait, err := b.Store.Take(context.Background(), now, at("here",
				store.Bucket{Key: "shared", Limit: 10, Window: mi},
				store.Bucket{Key: fmt.Sprint("own", i), Limit: 1, Window: mi}))
			noErrorf(t, "Take", err)
			if wait == 0 {
				passed.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "attempts that got through a limit of ten", passed.Load(), int32(10))
}

func testThrottleReopen(t *testing.T, b Backend) {
	now := soon()
	x := store.Bucket{Key: "x", Limit: 1, Window: mi, SameFor: mi, Same: []byte("a")}
	cleared := store.Bucket{Key: "cleared", Limit: 1, Window: mi}
	equal(t, "wait", take(t, b.Store, now, x, cleared), 0*s1)
	s := b.Reopen(t)
	equal(t, "the same after reopening", take(t, s, now.Add(s1), x), 0*s1)
	x.Same = []byte("b")
	equal(t, "another after reopening", take(t, s, now.Add(s1), x), 59*s1)
	forgive(t, s, []string{"cleared"}, nil)
	equal(t, "a cleared one", take(t, s, now.Add(s1), cleared), 0*s1)
}
