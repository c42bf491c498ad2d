package storetest

import (
	"context"
	"fmt"
	"net/netip"
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

// testAuditOrder: a reader that follows the trail with After gets every event once.
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

// testAuditRings: each class of events loses its own oldest, and all are read in one order.
func testAuditRings(t *testing.T, b Backend) {
	if b.Retain == nil {
		t.Skip("the trail is the same in every format, and is tested in the newest")
	}
	ctx := context.Background()
	keep := store.Retention{store.ClassKeys: 300, store.ClassAdmin: 300, store.ClassSessions: 300, store.ClassOwn: 300, store.ClassRefusals: 300}
	s := b.Retain(t, keep)
	old := []store.Event{
		{Type: store.EventKeyRevoked, Outcome: store.OutcomeOK, KeyID: "old"},
		{Type: store.EventUserDisable, Outcome: store.OutcomeOK, Subject: "old"},
		{Type: store.EventClientDelete, Outcome: store.OutcomeUnknown, ClientID: "old"},
		{Type: store.EventLogin, Outcome: store.OutcomeOK, Subject: "old"},
		{Type: store.EventRefreshReuse, Outcome: store.Reused.String(), Subject: "old"},
		{Type: store.EventRefresh, Outcome: store.Revoked.String(), Subject: "old"},
		{Type: store.EventRevoke, Outcome: store.OutcomeOK, Subject: "old"},
		{Type: "something.new", Outcome: store.OutcomeOK, Subject: "old"},
	}
	noError(t, "AppendEvents", s.AppendEvents(ctx, old))
	all := func(q store.EventQuery) (list []store.Event) {
		t.Helper()
		for q.Limit = 1000; ; q.After = list[len(list)-1].Seq {
			page := must[[]store.Event](t, "Events")(s.Events(ctx, q))
			list = append(list, page...)
			if len(page) < q.Limit {
				return list
			}
		}
	}
	flood := func(e store.Event, n int) {
		t.Helper()
		batch := make([]store.Event, 250)
		for i := range batch {
			batch[i] = e
		}
		for i := range n / len(batch) {
			noError(t, "AppendEvents", s.AppendEvents(ctx, batch))
			if i%4 == 3 { // events may be written behind; a write that is waited for takes them along
				noError(t, "RevokeToken", s.RevokeToken(ctx, "any", time.Now().Add(time.Hour)))
			}
		}
		if behind, ok := s.(interface {
			Flush(ctx context.Context, now time.Time) error
		}); ok { // events in memory are not counted against a bound
			noError(t, "Flush", behind.Flush(ctx, time.Now()))
		}
	}
	const slack = 120 // a backend may keep some more than its bound
	for _, outcome := range []string{store.OutcomeRefused, store.OutcomeThrottled, store.OutcomeUnavailable, store.OutcomeMore, store.Gone.String()} {
		flood(store.Event{Type: store.EventRefresh, Outcome: outcome, Subject: "flood"}, 2000)
	}
	events := all(store.EventQuery{})
	if n := len(events) - len(old); n < 300 || n > 300+slack {
		t.Errorf("got %d refusals, want 300 and a little", n)
	}
	for i, e := range old {
		equal(t, "an old event "+e.Type, events[i].Type, e.Type)
		equal(t, "its number", events[i].Seq, uint64(i+1))
	}
	// Two classes at once: one order, without gaps at its end.
	flood(store.Event{Type: store.EventRevoke, Outcome: store.OutcomeOK, Subject: "flood"}, 2000)
	for range 20 {
		noError(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{{Type: store.EventLogin, Outcome: store.OutcomeOK}, {Type: store.EventLogin, Outcome: store.OutcomeRefused}}))
	}
	events = all(store.EventQuery{})
	for i, e := range events[1:] {
		if e.Seq <= events[i].Seq {
			t.Fatalf("event %d comes after %d", e.Seq, events[i].Seq)
		}
	}
	if n := len(all(store.EventQuery{Types: []string{store.EventRevoke}})); n < 300 || n > 300+slack {
		t.Errorf("got %d revocations by clients, want 300 and a little", n)
	}
	equal(t, "old events of other classes", len(all(store.EventQuery{Subject: "old"})), len(old)-3) // two are of no subject
	newest := must[[]store.Event](t, "Events")(s.Events(ctx, store.EventQuery{Newest: true, Limit: 40}))
	for i, e := range newest {
		equal(t, "the newest, in order", e.Seq, newest[len(newest)-1].Seq-uint64(len(newest)-1-i))
	}
	// Each of the other classes has its bound, too.
	flood(store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK, Subject: "flood"}, 1000)
	flood(store.Event{Type: store.EventUserUpdate, Outcome: store.OutcomeOK, Subject: "flood"}, 1000)
	flood(store.Event{Type: store.EventKeysRotate, Outcome: store.OutcomeOK, Subject: "flood"}, 1000)
	if n := len(all(store.EventQuery{})); n > 5*(300+slack) {
		t.Errorf("got %d events in all", n)
	}
}

// testAuditQueries: each field of a query.
func testAuditQueries(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	noError(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{
		{At: t0, Type: "login", Outcome: "ok", Subject: "usr_a", Address: "192.0.2.7", Detail: map[string]string{store.DetailUsername: "<ada> & \"co\""}},
		{At: t0.Add(s1), Type: "login", Outcome: "throttled", Address: "192.0.2.200", Detail: map[string]string{store.DetailNameHash: "h2"}},
		{At: t0.Add(2 * s1), Type: "user.disable", Outcome: "ok", Subject: "usr_a", Actor: "socket"},
		{At: t0.Add(3 * s1), Type: "refresh_reuse", Outcome: "reuse", Subject: "usr_b", Address: "2001:db8::7",
			Detail: map[string]string{store.DetailUsername: "bob"}},
	}))
	for _, c := range []struct {
		name string
		q    store.EventQuery
		want []uint64
	}{
		{"several types", store.EventQuery{Types: []string{"refresh_reuse", "user.disable"}}, []uint64{3, 4}},
		{"since", store.EventQuery{Since: t0.Add(2 * s1)}, []uint64{3, 4}},
		{"until", store.EventQuery{Until: t0.Add(2 * s1)}, []uint64{1, 2}},
		{"since and until", store.EventQuery{Since: t0.Add(s1), Until: t0.Add(3 * s1)}, []uint64{2, 3}},
		{"address", store.EventQuery{Address: netip.MustParsePrefix("192.0.2.7/32")}, []uint64{1}},
		{"network", store.EventQuery{Address: netip.MustParsePrefix("192.0.2.0/24")}, []uint64{1, 2}},
		{"network of the other kind", store.EventQuery{Address: netip.MustParsePrefix("2001:db8::/32")}, []uint64{4}},
		{"a person by sub", store.EventQuery{About: &store.Person{Subject: "usr_a"}}, []uint64{1, 3}},
		{"a person by name", store.EventQuery{About: &store.Person{Username: "<ada> & \"co\""}}, []uint64{1}},
		{"a person by all", store.EventQuery{About: &store.Person{Subject: "usr_a", Username: "bob", NameHashes: []string{"h1", "h2"}}}, []uint64{1, 2, 3, 4}},
		{"a person by hash", store.EventQuery{About: &store.Person{NameHashes: []string{"h1", "h2"}}}, []uint64{2}},
		{"no person", store.EventQuery{About: &store.Person{}}, nil},
		{"newest of a person", store.EventQuery{About: &store.Person{Subject: "usr_a"}, Newest: true, Limit: 1}, []uint64{3}},
	} {
		var got []uint64
		for _, e := range must[[]store.Event](t, "Events")(s.Events(ctx, c.q)) {
			got = append(got, e.Seq)
		}
		equal(t, c.name, got, c.want)
	}
}
