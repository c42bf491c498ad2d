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

// try is one attempt: its time after the first, and the wait that is its answer.
type try struct {
	at   time.Duration
	wait time.Duration
	same string
}

const mi = time.Minute

// throttles are about failures of one limit that are known at once.
var throttles = []struct {
	name  string
	limit store.Limit
	tries []try
}{
	{"limit and window", store.Limit{Free: 2, Window: mi}, []try{
		{at: 0}, {at: 10 * s1}, {at: 20 * s1, wait: 40 * s1}, {at: 59 * s1, wait: s1}, {at: mi - ms, wait: ms},
		{at: mi}, {at: mi}, {at: mi + s1, wait: 59 * s1},
	}},
	{"the window counts from the first attempt", store.Limit{Free: 2, Window: mi}, []try{
		{at: 0}, {at: 59 * s1}, {at: 60 * s1}, {at: 61 * s1}, {at: 62 * s1, wait: 58 * s1},
	}},
	{"a limit of nothing", store.Limit{Free: 0, Window: mi}, []try{{at: 0, wait: mi}, {at: s1, wait: mi}}},
	{"backoff doubles from one second to its most", store.Limit{Free: 2, Window: 10 * mi, Backoff: 6 * s1}, []try{
		{at: 0}, {at: 0},
		{at: 0, wait: s1}, {at: s1 - ms, wait: ms}, {at: s1},
		{at: s1, wait: 2 * s1}, {at: 3 * s1},
		{at: 3 * s1, wait: 4 * s1}, {at: 7 * s1},
		{at: 7 * s1, wait: 6 * s1}, {at: 13 * s1},
		{at: 13 * s1, wait: 6 * s1}, {at: 19 * s1}, {at: 24 * s1, wait: s1},
	}},
	{"with backoff the window counts from the last attempt", store.Limit{Free: 1, Window: mi, Backoff: 4 * s1}, []try{
		{at: 0}, {at: 30 * s1}, {at: 80 * s1}, {at: 80 * s1, wait: 4 * s1},
		{at: 80*s1 + mi}, {at: 80*s1 + mi, wait: s1},
	}},
	{"backoff below a second", store.Limit{Free: 1, Window: mi, Backoff: 500 * ms}, []try{{at: 0}, {at: 0, wait: 500 * ms}, {at: 500 * ms}}},
	{"refusals count nothing", store.Limit{Free: 1, Window: mi, Backoff: 8 * s1}, []try{
		{at: 0}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: 0, wait: s1}, {at: s1}, {at: s1, wait: 2 * s1},
	}},
	{"the same attempt counts once", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "a"}, {at: 10 * s1, same: "a"},
		{at: 10*s1 + ms, same: "a", wait: 50*s1 - ms},
		{at: 11 * s1, same: "b", wait: 49 * s1},
	}},
	{"the same attempt, but not the one before", store.Limit{Free: 2, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b"}, {at: 2 * s1, same: "a", wait: 58 * s1}, {at: 2 * s1, same: "b"},
	}},
	{"a refused attempt is not the one before", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0, same: "a"}, {at: s1, same: "b", wait: 59 * s1}, {at: 2 * s1, same: "b", wait: 58 * s1}, {at: 2 * s1, same: "a"},
	}},
	{"attempts without Same are all different", store.Limit{Free: 1, Window: mi, SameFor: 10 * s1}, []try{
		{at: 0}, {at: 0, wait: mi},
	}},
	{"a clock that runs backwards", store.Limit{Free: 1, Window: mi, Backoff: 8 * s1}, []try{
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
			limit := c.limit
			limit.Key = "key-" + randomName()
			for i, try := range c.tries {
				limit.Same = []byte(try.same)
				wait, err := b.Store.Count(context.Background(), begin.Add(try.at), at("here", limit))
				noError(t, "Count", err)
				if wait != try.wait {
					t.Fatalf("failure %d, at %v: got a wait of %v, want %v", i+1, try.at, wait, try.wait)
				}
			}
		})
	}
}

func count(t *testing.T, s store.Store, now time.Time, limits ...store.Limit) time.Duration {
	t.Helper()
	return must[time.Duration](t, "Count")(s.Count(context.Background(), now, at("here", limits...)))
}

func at(place string, limits ...store.Limit) store.Scope {
	return store.Scope{Place: place, Limits: limits}
}

// newAttempt is one try at each of the scopes.
func newAttempt(scopes ...store.Scope) (a store.Attempt) {
	copy(a.ID[:], randomName())
	a.Scopes = scopes
	return a
}

func allow(t failer, s store.Store, now time.Time, scopes ...store.Scope) store.Admission {
	t.Helper()
	adm, err := s.Allow(context.Background(), now, newAttempt(scopes...))
	noError(t, "Allow", err)
	return adm
}

// goes makes an attempt that is expected to be admitted.
func goes(t failer, s store.Store, now time.Time, scopes ...store.Scope) store.Receipt {
	t.Helper()
	adm := allow(t, s, now, scopes...)
	if adm.Wait > 0 || adm.Busy {
		t.Fatalf("got a wait of %v, busy %v, want it to go ahead", adm.Wait, adm.Busy)
	}
	return adm.Receipt
}

func fails(t failer, s store.Store, now time.Time, r store.Receipt) []string {
	t.Helper()
	reached, err := s.Fail(context.Background(), now, r)
	noError(t, "Fail", err)
	return reached
}

func refund(t failer, s store.Store, r store.Receipt) {
	t.Helper()
	noError(t, "Refund", s.Refund(context.Background(), soon(), r))
}

func waits(t failer, s store.Store, now time.Time, want time.Duration, scopes ...store.Scope) {
	t.Helper()
	if adm := allow(t, s, now, scopes...); adm.Wait != want || adm.Busy || adm.Receipt.Places != 0 {
		t.Fatalf("got %+v, want a wait of %v", adm, want)
	}
}

func busy(t failer, s store.Store, now time.Time, scopes ...store.Scope) {
	t.Helper()
	if adm := allow(t, s, now, scopes...); !adm.Busy || adm.Wait != 0 || adm.Receipt.Places != 0 {
		t.Fatalf("got %+v, want busy", adm)
	}
}

func testTakeAll(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	narrow, wide := store.Limit{Key: "narrow", Free: 1, Window: mi}, store.Limit{Key: "wide", Free: 2, Window: 2 * mi}
	equal(t, "both free", count(t, s, now, narrow, wide), 0*s1)
	equal(t, "one refuses", count(t, s, now, wide, narrow), mi)
	equal(t, "the other has not counted", count(t, s, now, wide), 0*s1)
	equal(t, "both refuse: the longer wait", count(t, s, now, narrow, wide), 2*mi)
	equal(t, "no limits", count(t, s, now), 0*s1)
	elsewhere := must[time.Duration](t, "Count")(s.Count(context.Background(), now, at("elsewhere", narrow, wide)))
	equal(t, "the same keys in another place", elsewhere, 0*s1)
}

func testThrottleRace(t *testing.T, b Backend) {
	now := soon()
	var passed, under atomic.Int32
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			own := store.Limit{Key: fmt.Sprint("own", i), Free: 1, Window: mi}
			wait, err := b.Store.Count(context.Background(), now, at("here", store.Limit{Key: "shared", Free: 10, Window: mi}, own))
			noErrorf(t, "Count", err)
			if wait == 0 {
				passed.Add(1)
			}
			adm, err := b.Store.Allow(context.Background(), now, newAttempt(at("there", store.Limit{Key: "shared", Free: 10, Window: mi}, own)))
			noErrorf(t, "Allow", err)
			if adm.Wait == 0 && !adm.Busy {
				under.Add(1)
			}
		})
	}
	wg.Wait()
	equal(t, "failures that got through a limit of ten", passed.Load(), int32(10))
	equal(t, "attempts under way in a limit of ten", under.Load(), int32(10))
}

func testThrottleReopen(t *testing.T, b Backend) {
	now := soon()
	x := store.Limit{Key: "x", Free: 1, Window: mi, SameFor: mi, Same: []byte("a")}
	held := at("there", store.Limit{Key: "held", Free: 1, Window: mi})
	equal(t, "wait", count(t, b.Store, now, x), 0*s1)
	goes(t, b.Store, now, held)
	s := b.Reopen(t)
	equal(t, "the same after reopening", count(t, s, now.Add(s1), x), 0*s1)
	x.Same = []byte("b")
	equal(t, "another after reopening", count(t, s, now.Add(s1), x), 59*s1)
	if b.OneProcess {
		goes(t, s, now.Add(s1), held)
	} else {
		busy(t, s, now.Add(s1), held)
	}
}
