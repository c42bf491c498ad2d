package redis

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
)

// outboxStores returns two replicas of one store, whose sweeps go by the caller's time.
func outboxStores(t *testing.T) (*redistest.Server, *Store, *Store) {
	server := redistest.Start(t, redistest.Config{})
	cfg := rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), callersTime: true})
	return server, mustOpen(t, cfg), mustOpen(t, cfg)
}

func onTrail(t *testing.T, s *Store) int {
	t.Helper()
	events, err := s.Events(t.Context(), store.EventQuery{})
	must(t, err)
	return len(events)
}

func keptEvent(t *testing.T, s *Store) store.Event {
	t.Helper()
	e := store.Event{At: begun, Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: "r"}
	must(t, s.KeepEvent(t.Context(), &e))
	return e
}

// TestSweepWaitsForTheRecorder: an event that is young is left to the replica whose change it is of.
func TestSweepWaitsForTheRecorder(t *testing.T) {
	t.Parallel()
	_, s, _ := outboxStores(t)
	keptEvent(t, s)
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{0, 0}, {store.OutboxAfter - 10*time.Second, 0}, {store.OutboxAfter + 10*time.Second, 1}, {store.OutboxAfter + 20*time.Second, 1}} {
		_, err := s.Sweep(t.Context(), now.Add(step.after), month)
		must(t, err)
		if got := onTrail(t, s); got != step.want {
			t.Errorf("after %v: %d events are on the trail, want %d", step.after, got, step.want)
		}
	}
}

// TestOutboxOfADeadReplica: the replica died after it had written the event to the trail, and before it took it out of the
// outbox. And two replicas may sweep at the same moment.
func TestOutboxOfADeadReplica(t *testing.T) {
	t.Parallel()
	server, s, other := outboxStores(t)
	key := s.deps.Key.Outbox("a")
	for range 20 {
		keptEvent(t, s)
	}
	e := keptEvent(t, s)
	entries := server.Do("hgetall", key).([]any)
	must(t, s.AppendEvents(t.Context(), []store.Event{e}))
	server.Do(append([]any{"hset", key}, entries...)...)

	now := time.Now().Add(2 * store.OutboxAfter)
	node, err := s.deps.Conn.Node(t.Context(), key)
	must(t, err)
	var sweeps sync.WaitGroup
	for _, s := range []*Store{s, other} {
		sweeps.Go(func() {
			if err := s.Trail.SweepOutboxes(t.Context(), node, now); err != nil {
				t.Error(err)
			}
		})
	}
	sweeps.Wait()
	if got := onTrail(t, s); got != 21 {
		t.Errorf("%d events are on the trail, want 21", got)
	}
	if left := server.Do("hlen", key); left != int64(0) {
		t.Errorf("the outbox has %v entries", left)
	}
}

// TestRememberedEventsAreBounded: what the trail remembers of the outbox does not grow for ever.
func TestRememberedEventsAreBounded(t *testing.T) {
	t.Parallel()
	server, s, _ := outboxStores(t)
	for batch := range 60 {
		events := make([]store.Event, 512)
		for i := range events {
			events[i] = store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK, Outbox: fmt.Sprintf("a/%d-%d", batch, i)}
		}
		must(t, s.AppendEvents(t.Context(), events))
	}
	names := s.deps.Key.Appended()
	n := server.Do("hlen", names[0]).(int64) + server.Do("hlen", names[1]).(int64)
	if n < 8192 || n > 2*8192 {
		t.Errorf("the trail remembers %d events", n)
	}
}

// TestExportOfTheOutbox: what is moved away has the events that have not reached the trail.
func TestExportOfTheOutbox(t *testing.T) {
	t.Parallel()
	server, s, _ := outboxStores(t)
	key, e := s.deps.Key.Outbox("a"), keptEvent(t, s)
	entries := server.Do("hgetall", key).([]any)
	must(t, s.AppendEvents(t.Context(), []store.Event{e}))
	server.Do(append([]any{"hset", key}, entries...)...) // as if the replica had died before it took the entry out
	keptEvent(t, s)
	var got []uint64
	must(t, s.Export(t.Context(), func(r store.Record) error {
		if r.Event != nil {
			got = append(got, r.Event.Seq)
		}
		return nil
	}))
	if !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("the events have the numbers %v", got)
	}
}

// TestEventWhileSlotMoves: a slot is on its way to another server. The keys of a user are here or there, and the outbox,
// which does not exist, is in neither place. Changes are made all the same, without an event.
func TestEventWhileSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	s := mustOpen(t, rest(Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), Timeout: 10 * time.Second, Prefix: newPrefix()}))
	const slot = 99
	u := seedUserAs(t, s, userIn(slot))
	change := func(where string) {
		t.Helper()
		e := store.Event{Type: store.EventSessionRevoke, Outcome: store.OutcomeOK}
		existed, err := s.RevokeSession(store.WithEvent(t.Context(), &e), u.ID, seedSession(t, s, u.ID).ID)
		if !existed || err != nil || e.Outbox != "" {
			t.Errorf("%s: RevokeSession: got %v, error %v, entry %q", where, existed, err, e.Outbox)
		}
		_, err = s.UpdateUser(store.WithEvent(t.Context(), &e), u.ID, func(u *store.User) error { u.PasswordHash += "x"; return nil })
		if err != nil || e.Outbox != "" {
			t.Errorf("%s: UpdateUser: error %v, entry %q", where, err, e.Outbox)
		}
		k := tokenOf(seedSession(t, s, u.ID))
		for range 2 {
			mustPresent(t, s, token{k.user, k.session, k.generation})
			k.generation++
		}
		_, _, o, err := s.Rotate(t.Context(), store.Rotation{UserID: k.user, SessionID: k.session, ClientID: app, Now: presented, Lifetimes: long, RequestID: "r"})
		if o != store.Reused || err != nil {
			t.Errorf("%s: Rotate: got %v, error %v", where, o, err)
		}
	}
	seedSession(t, s, u.ID) // so that the user's sessions are never without one
	from := cluster.NodeForSlot(slot)
	to := otherNode(cluster, from, 0)
	cluster.MigrateKeysFirst(slot, from, to, func() { change("before its keys move") })
	cluster.MigrateKeysFirst(slot, to, from, func() { change("when its keys have moved") }, s.deps.Key.UserAndSessions(u.ID)...)
	e := store.Event{Type: store.EventSessionRevoke, Outcome: store.OutcomeOK}
	if _, err := s.RevokeSession(store.WithEvent(t.Context(), &e), u.ID, seedSession(t, s, u.ID).ID); err != nil || e.Outbox == "" {
		t.Errorf("after the move: error %v, entry %q", err, e.Outbox)
	}
}
