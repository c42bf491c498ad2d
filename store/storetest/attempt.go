package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"signet/store"
)

// testReserve: attempts under way take places, failures count, and refunds leave nothing, each of them once.
func testReserve(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	here := at("here", store.Limit{Key: "x", Free: 2, Window: mi})
	one, two := goes(t, s, now, here), goes(t, s, now, here)
	busy(t, s, now, here)
	refund(t, s, one)
	refund(t, s, one) // the second time changes nothing
	three := goes(t, s, now, here)
	busy(t, s, now, here)
	equal(t, "the first failure", fails(t, s, now, two), []string(nil))
	equal(t, "the same receipt again", fails(t, s, now, two), []string(nil))
	busy(t, s, now, here)
	equal(t, "the failure that reaches what is free", fails(t, s, now, three), []string{"x"})
	refund(t, s, three)
	waits(t, s, now.Add(s1), 59*s1, here)
	waits(t, s, now.Add(s1), 59*s1, here)
	four := goes(t, s, now.Add(mi), here)
	refund(t, s, four)
	refund(t, s, store.Receipt{}) // holds nothing

	slow := at("slow", store.Limit{Key: "y", Free: 1, Window: mi, Backoff: 8 * s1})
	fails(t, s, now, goes(t, s, now, slow))
	waits(t, s, now, s1, slow)
	five := goes(t, s, now.Add(s1), slow)
	busy(t, s, now.Add(s1), slow) // with backoff one at a time
	fails(t, s, now.Add(s1), five)
	waits(t, s, now.Add(s1), 2*s1, slow)
}

// testScopes: an attempt takes places in all of its scopes, or in none.
func testScopes(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	narrow, wide := at("narrow", store.Limit{Key: "x", Free: 1, Window: mi}), at("wide", store.Limit{Key: "x", Free: 3, Window: mi})
	one := goes(t, s, now, wide, narrow)
	equal(t, "places", one.Places, 2)
	busy(t, s, now, wide, narrow)
	busy(t, s, now, narrow, wide)
	two, three := goes(t, s, now, wide), goes(t, s, now, wide)
	busy(t, s, now, wide)
	equal(t, "reached", fails(t, s, now, one), []string{"x"})
	refund(t, s, two)
	refund(t, s, three)
	waits(t, s, now, mi, wide, narrow)
	goes(t, s, now, wide)
}

// testRepeats: a repeat of the last failure is admitted without a place, and counts once however often it is sent.
func testRepeats(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	try := func(same string) store.Scope {
		return at("here", store.Limit{Key: "x", Free: 2, Window: mi, Same: []byte(same), SameFor: 10 * s1})
	}
	fails(t, s, now, goes(t, s, now, try("a")))
	for range 3 {
		again := goes(t, s, now.Add(s1), try("a"))
		equal(t, "places of a repeat", again.Places, 0)
		refund(t, s, again)
		fails(t, s, now.Add(s1), again)
	}
	// Two at once: both are hashed, and count once.
	one, two := goes(t, s, now.Add(s1), try("b")), allow(t, s, now.Add(s1), try("b"))
	equal(t, "the second at once", two.Busy, true)
	refund(t, s, one)
	one = goes(t, s, now.Add(11*s1), try("a")) // the repeat comes too late
	equal(t, "places", one.Places, 1)
	fails(t, s, now.Add(11*s1), one)
	waits(t, s, now.Add(12*s1), 48*s1, try("c"))
	goes(t, s, now.Add(12*s1), try("a"))

	wide := func(same string) store.Scope {
		return at("wide", store.Limit{Key: "x", Free: 3, Window: mi, Same: []byte(same), SameFor: 10 * s1})
	}
	one, again := goes(t, s, now, wide("a")), goes(t, s, now, wide("a"))
	fails(t, s, now, one)
	fails(t, s, now, again)
	one, again = goes(t, s, now, wide("b")), goes(t, s, now, wide("c"))
	fails(t, s, now, one)
	fails(t, s, now, again)
	waits(t, s, now, mi, wide("d"))
}

// testUndecided: an attempt without a result, because its replica died, counts as failed after store.ReservedFor.
func testUndecided(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	here := at("here", store.Limit{Key: "x", Free: 2, Window: 10 * mi})
	lost := goes(t, s, now, here)
	goes(t, s, now, here)
	busy(t, s, now.Add(store.ReservedFor-ms), here)
	adm := allow(t, s, now.Add(store.ReservedFor), here)
	equal(t, "afterwards", []any{adm.Wait, adm.Reached}, []any{10 * mi, []string{"x"}})
	equal(t, "reached again", allow(t, s, now.Add(store.ReservedFor), here).Reached, []string(nil))
	fails(t, s, now.Add(store.ReservedFor), lost) // too late
	states := must[[]store.ThrottleState](t, "ListThrottle")(s.ListThrottle(context.Background(), now.Add(store.ReservedFor),
		func(place, _ string) bool { return place == "here" }, 10))
	equal(t, "failures", states[0].Failures, 2)
}

// testSucceed: a success returns its places and clears the limits that forgive. The limits of an account do not apply to
// the networks that its logins have succeeded from.
func testSucceed(t *testing.T, b Backend) {
	s, now := b.Store, soon()
	u := addUser(t, s)
	finish := func(now time.Time, r store.Receipt) {
		t.Helper()
		in := store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: now}
		_, err := s.FinishLogin(context.Background(), now, r, in, store.SessionLimits{PerUser: 3})
		noError(t, "FinishLogin", err)
	}
	here := at("here", store.Limit{Key: "forgives", Free: 3, Window: mi, Forgive: true}, store.Limit{Key: "counts", Free: 3, Window: mi})
	account := func(from string) store.Scope {
		scope := at("account", store.Limit{Key: "anywhere", Free: 3, Window: mi})
		scope.From = []byte(from)
		return scope
	}
	fails(t, s, now, goes(t, s, now, here, account("home..")))
	other := goes(t, s, now, here, account("home.."))
	finish(now, goes(t, s, now, here, account("home..")))
	fails(t, s, now, other)
	fails(t, s, now, goes(t, s, now, here))
	waits(t, s, now, mi, here) // by the limit that does not forgive
	fails(t, s, now, goes(t, s, now, account("abroad")))
	waits(t, s, now, mi, account("abroad"))
	home := goes(t, s, now, account("home.."))
	equal(t, "places from the network of the owner", home.Places, 0)
	fails(t, s, now, home)
	s = b.Reopen(t)
	waits(t, s, now, mi, account("abroad"))
	goes(t, s, now, account("home.."))

	for i := range store.KeptNetworks {
		finish(now.Add(mi), goes(t, s, now.Add(mi), account(fmt.Sprintf("net%03d", i))))
	}
	for range 3 {
		fails(t, s, now.Add(mi), goes(t, s, now.Add(mi), account("abroad")))
	}
	waits(t, s, now.Add(mi), mi, account("home..")) // the oldest network is forgotten
	goes(t, s, now.Add(mi), account("net000"))
}

func testClearThrottle(t *testing.T, b Backend) {
	ctx, s, now := context.Background(), b.Store, soon()
	x, y := store.Limit{Key: "x", Free: 2, Window: mi}, store.Limit{Key: "y", Free: 2, Window: mi}
	for range 2 {
		equal(t, "wait", count(t, s, now, x, y), 0*s1)
	}
	underWay := goes(t, s, now, at("here", store.Limit{Key: "z", Free: 1, Window: mi}))
	list := func() []store.ThrottleState {
		t.Helper()
		all, err := s.ListThrottle(ctx, now, func(place, _ string) bool { return place == "here" }, 10)
		noError(t, "ListThrottle", err)
		slices.SortFunc(all, func(a, b store.ThrottleState) int { return int(a.Key[0]) - int(b.Key[0]) })
		for i := range all {
			all[i].Last, all[i].Until = time.Time{}, time.Time{}
		}
		return all
	}
	state := func(key string, failures, underWay int) store.ThrottleState {
		return store.ThrottleState{Place: "here", Key: key, Failures: failures, UnderWay: underWay}
	}
	equal(t, "the list", list(), []store.ThrottleState{state("x", 2, 0), state("y", 2, 0), state("z", 0, 1)})
	none, err := s.ListThrottle(ctx, now, func(place, _ string) bool { return place == "elsewhere" }, 10)
	equal(t, "what is picked", []any{len(none), err}, []any{0, nil})
	noError(t, "ClearThrottle", s.ClearThrottle(ctx, "here", []string{"x", "z", "unknown"}))
	equal(t, "the list afterwards", list(), []store.ThrottleState{state("y", 2, 0), state("z", 0, 1)})
	equal(t, "x takes two", []time.Duration{count(t, s, now, x), count(t, s, now, x), count(t, s, now, x)}, []time.Duration{0, 0, mi})
	refund(t, s, underWay)
}
