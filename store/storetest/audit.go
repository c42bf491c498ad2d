package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"signet/store"
)

func testAudit(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	events := func(q store.EventQuery) []store.Event {
		t.Helper()
		return must[[]store.Event](t, "Events")(s.Events(ctx, q))
	}
	equal(t, "no events", len(events(store.EventQuery{})), 0)
	noError(t, "AppendEvents of none", s.AppendEvents(ctx, nil))

	full := store.Event{At: t0, Type: "login", Outcome: "ok", Actor: "admin", ClientID: "app", Subject: "usr_a", SessionID: "sid",
		KeyID: "kid", RequestID: "r1", Address: "192.0.2.1", Detail: map[string]string{"why": "because"}}
	noError(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{full}))
	got := events(store.EventQuery{})
	if len(got) != 1 || got[0].Seq == 0 {
		t.Fatalf("Events: got %+v, want one with a number", got)
	}
	first := got[0].Seq
	full.Seq = first
	equal(t, "the event", got[0], full)

	var batch []store.Event
	for i := range 9 {
		batch = append(batch, store.Event{At: t0.Add(time.Duration(i) * s1), Type: []string{"login", "refresh", "revoke"}[i%3],
			Outcome: "ok", ClientID: []string{"app", "web"}[i%2], Subject: fmt.Sprint("usr_", i/3)})
	}
	noError(t, "AppendEvents", s.AppendEvents(ctx, batch[:4]))
	noError(t, "AppendEvents", s.AppendEvents(ctx, batch[4:]))
	for _, c := range []struct {
		name string
		q    store.EventQuery
		want []int // which, counted from the first event
	}{
		{"all", store.EventQuery{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"limit", store.EventQuery{Limit: 3}, []int{0, 1, 2}},
		{"newest", store.EventQuery{Limit: 3, Newest: true}, []int{7, 8, 9}},
		{"after", store.EventQuery{After: first + 6}, []int{7, 8, 9}},
		{"after, limited", store.EventQuery{After: first + 6, Limit: 2}, []int{7, 8}},
		{"after, newest", store.EventQuery{After: first + 6, Limit: 2, Newest: true}, []int{8, 9}},
		{"after, newest, not that many", store.EventQuery{After: first + 6, Limit: 50, Newest: true}, []int{7, 8, 9}},
		{"after the end", store.EventQuery{After: first + 9}, nil},
		{"type", store.EventQuery{Types: []string{"refresh"}}, []int{2, 5, 8}},
		{"client", store.EventQuery{ClientID: "web"}, []int{2, 4, 6, 8}},
		{"subject", store.EventQuery{Subject: "usr_1"}, []int{4, 5, 6}},
		{"type and client", store.EventQuery{Types: []string{"refresh"}, ClientID: "web"}, []int{2, 8}},
		{"newest of a type", store.EventQuery{Types: []string{"login"}, Newest: true, Limit: 2}, []int{4, 7}},
		{"a limit beyond the most", store.EventQuery{Limit: 1 << 30}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
	} {
		var which []int
		for _, e := range events(c.q) {
			which = append(which, int(e.Seq-first))
		}
		equal(t, c.name, which, c.want)
	}

	s = b.Reopen(t)
	equal(t, "events after an orderly restart", len(events(store.EventQuery{})), 10)
	noError(t, "AppendEvents", s.AppendEvents(ctx, batch[:1]))
	equal(t, "the next number after a restart", events(store.EventQuery{Newest: true, Limit: 1})[0].Seq, first+10)
}

// testAuditOrder: whoever follows the trail with After misses nothing and sees nothing twice.
func testAuditOrder(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	const writers, each = 4, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				e := store.Event{At: t0, Type: "login", ClientID: fmt.Sprint(w), RequestID: fmt.Sprint(i)}
				noErrorf(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{e}))
			}
		})
	}
	next := make([]int, writers)
	var after uint64
	for seen := 0; seen < writers*each && !t.Failed(); {
		for _, e := range must[[]store.Event](t, "Events")(s.Events(ctx, store.EventQuery{After: after, Limit: 7})) {
			w := int(e.ClientID[0] - '0')
			if want := fmt.Sprint(next[w]); e.RequestID != want || e.Seq <= after {
				t.Fatalf("writer %d: got event %s with number %d after %d, want event %s", w, e.RequestID, e.Seq, after, want)
			}
			after = e.Seq
			next[w]++
			seen++
		}
	}
	wg.Wait()
	equal(t, "events after the last", len(must[[]store.Event](t, "Events")(s.Events(ctx, store.EventQuery{After: after}))), 0)
	equal(t, "default limit", len(must[[]store.Event](t, "Events")(s.Events(ctx, store.EventQuery{}))), 100)
}
