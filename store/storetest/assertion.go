package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
)

func newAssertionID() (id store.AssertionID) {
	rand.Read(id[:])
	return id
}

func testAssertions(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	one, two, over := newAssertionID(), newAssertionID(), newAssertionID()
	// Far from now, so that a backend whose records run out by its own clock keeps them.
	until := time.Now().Add(time.Hour)
	noError(t, "UseAssertion", s.UseAssertion(ctx, one, until))
	wantError(t, "UseAssertion again", s.UseAssertion(ctx, one, until), store.ErrExists)
	wantError(t, "UseAssertion again, for longer", s.UseAssertion(ctx, one, until.Add(time.Hour)), store.ErrExists)
	wantError(t, "UseAssertion again, for less", s.UseAssertion(ctx, one, until.Add(-2*time.Hour)), store.ErrExists)
	noError(t, "UseAssertion of another", s.UseAssertion(ctx, two, until))
	near := one
	near[15]++
	noError(t, "UseAssertion of one that differs in the last byte", s.UseAssertion(ctx, near, until))
	noError(t, "UseAssertion of one that has run out", s.UseAssertion(ctx, over, time.Now().Add(-24*time.Hour)))
	wantError(t, "UseAssertion of that again", s.UseAssertion(ctx, over, time.Now().Add(-24*time.Hour)), store.ErrExists)

	must[int](t, "Sweep")(s.Sweep(ctx, until.Add(store.AssertionMargin-s1), month))
	wantError(t, "UseAssertion after a sweep within the margin", s.UseAssertion(ctx, one, until), store.ErrExists)
	s = b.Reopen(t)
	for _, id := range []store.AssertionID{one, two, near} {
		wantError(t, "UseAssertion after reopening", s.UseAssertion(ctx, id, until), store.ErrExists)
	}
	noError(t, "UseAssertion of a new one after reopening", s.UseAssertion(ctx, newAssertionID(), until))
}

// testAssertionRace: an assertion that is presented by many at once gets one of them in.
func testAssertionRace(t *testing.T, b Backend) {
	const each = 16
	for _, until := range []time.Time{time.Now().Add(time.Minute), time.Now().Add(-time.Hour)} {
		ids := make([]store.AssertionID, 4)
		won := make([]atomic.Int32, len(ids))
		var wg sync.WaitGroup
		for i := range ids {
			ids[i] = newAssertionID()
			for range each {
				wg.Go(func() {
					switch err := b.Store.UseAssertion(context.Background(), ids[i], until); {
					case err == nil:
						won[i].Add(1)
					case !errors.Is(err, store.ErrExists):
						t.Errorf("UseAssertion: got %v, want success or ErrExists", err)
					}
				})
			}
		}
		wg.Wait()
		for i := range won {
			equal(t, "how many have used one assertion", won[i].Load(), int32(1))
		}
	}
}
