package redis

import (
	"encoding/json"
	"fmt"
	"testing"

	"signet/store"
	"signet/store/redis/redistest"
)

// TestAuditOfEarlierVersion: what an earlier version has written, or still writes beside this one, is read in
// one order with the rest, and goes when as much has come after it as is kept in all.
func TestAuditOfEarlierVersion(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), AuditEvents: 1000})
	keys := s.deps.Key.Trail()
	earlier := func(subject string) {
		t.Helper()
		raw, err := json.Marshal(store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK, Subject: subject})
		must(t, err)
		n := server.Do("incr", keys[0]).(int64)
		server.Do("xadd", keys[1], "MAXLEN", "~", 1000, fmt.Sprintf("%d-0", n), "e", string(raw))
	}
	now := func(n int) {
		t.Helper()
		batch := make([]store.Event, n)
		for i := range batch {
			batch[i] = store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused}
		}
		must(t, s.AppendEvents(t.Context(), batch))
	}
	for i := range 450 {
		earlier(fmt.Sprint(i))
	}
	now(3)
	earlier("last")
	now(2)
	events, err := s.Events(t.Context(), store.EventQuery{Limit: 1000})
	must(t, err)
	for i, e := range events {
		if e.Seq != uint64(i+1) {
			t.Fatalf("event %d has number %d", i, e.Seq)
		}
	}
	if len(events) != 456 {
		t.Fatalf("got %d events, want 456", len(events))
	}
	for _, n := range []int{500, 450} {
		now(n)
		if server.Do("exists", keys[1]).(int64) != 1 {
			t.Fatal("the trail of the earlier version is gone too early")
		}
	}
	now(100)
	if server.Do("exists", keys[1]).(int64) != 0 {
		t.Error("the trail of the earlier version stays for ever")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
