package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// wasUsed is nil where the assertion was used before.
func wasUsed(ctx context.Context, s store.Store, id store.AssertionID) error {
	err := s.UseAssertion(ctx, id, time.Now().Add(time.Hour))
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return errors.Join(errors.New("it was not used before"), err)
}

func mustSpend(t *testing.T, s *Store, id store.AssertionID) {
	t.Helper()
	if err := s.UseAssertion(t.Context(), id, time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("UseAssertion: %v", err)
	}
}

// TestAssertionOfManyReplicas: replicas of Signet that present the same assertions at once get each
// of them in once.
func TestAssertionOfManyReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	const replicas, assertions = 4, 50
	var won [assertions]atomic.Int32
	var all sync.WaitGroup
	ids := [assertions]store.AssertionID{}
	for i := range ids {
		ids[i] = randomID()
	}
	for range replicas {
		s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second}))
		for range 2 {
			all.Go(func() {
				for i, id := range ids {
					switch err := s.UseAssertion(t.Context(), id, time.Now().Add(time.Minute)); {
					case err == nil:
						won[i].Add(1)
					case !errors.Is(err, store.ErrExists):
						t.Errorf("got %v", err)
					}
				}
			})
		}
	}
	all.Wait()
	for i := range won {
		if got := won[i].Load(); got != 1 {
			t.Errorf("assertion %d has got %d in, want 1", i, got)
		}
	}
}

// TestLostSpending: the answer is lost after the assertion was marked. The caller does not get
// "used before", and whoever asks again is not taken for the first.
func TestLostSpending(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	cfg := rest(Config{Addrs: []string{proxy.Addr()}, Timeout: 10 * time.Second})
	s, other := mustOpen(t, cfg), mustOpen(t, cfg)
	id := store.AssertionID(randomID())
	proxy.LoseReplies("eval")
	if err := s.UseAssertion(t.Context(), id, time.Now().Add(time.Hour)); !isUnavailable(err) {
		t.Errorf("without its answer: got %v, want ErrUnavailable alone", err)
	}
	if got := proxy.Counts().Lost; got != 1 {
		t.Fatalf("replies lost: got %d, want 1: it was sent once", got)
	}
	proxy.Heal()
	for _, s := range []*Store{s, other, s} {
		if err := wasUsed(t.Context(), s, id); err != nil {
			t.Errorf("the retry: %v", err)
		}
	}
}

// TestAssertionRunsOut: the key goes by itself, a margin after the assertion, and never at once.
func TestAssertionRunsOut(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second}))
	for name, life := range map[string]time.Duration{"good for an hour": time.Hour, "just over": 0, "long over": -24 * time.Hour} {
		id, begun := store.AssertionID(randomID()), time.Now()
		if err := s.UseAssertion(t.Context(), id, begun.Add(life)); err != nil {
			t.Fatal(err)
		}
		left, _ := server.Do("pttl", s.deps.Key.Assertion(id)).(int64)
		most := max(life, 0) + store.AssertionMargin
		least := most - time.Since(begun) - 10*time.Millisecond // each clock cuts off some of its last one
		if got := time.Duration(left) * time.Millisecond; got < least || got > most {
			t.Errorf("%s: the key stays for %v, want %v to %v", name, got, least, most)
		}
	}
}

// TestLostAssertion: a replica takes over that has not heard of what was used. Where it was used that
// is known, and from the next look at the servers on everywhere.
func TestLostAssertion(t *testing.T) {
	l := startLoss(t, 1)
	s := l.open(t, 0)
	l.from(t)
	id, shown := store.AssertionID(randomID()), store.AssertionID(randomID())
	mustSpend(t, s, id)
	mustSpend(t, s, shown)
	fresh := l.takeOver(t)
	key := s.deps.Key.Assertion(id)
	if got := l.stale.Do("exists", key, s.deps.Key.Assertion(shown)); got != int64(0) {
		t.Fatal("they are not lost")
	}
	if err := wasUsed(t.Context(), s, shown); err != nil {
		t.Errorf("where it was used: %v", err)
	}
	if err := wasUsed(t.Context(), fresh, shown); err != nil {
		t.Errorf("elsewhere, once it was presented again where it was used: %v", err)
	}
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := l.stale.Do("exists", key); got != int64(1) {
		t.Error("it was not marked again")
	}
	if left, _ := l.stale.Do("pttl", key).(int64); left < (time.Hour).Milliseconds()/2 {
		t.Errorf("it was marked again for %d ms", left)
	}
	if err := wasUsed(t.Context(), fresh, id); err != nil {
		t.Errorf("elsewhere: %v", err)
	}
	mustSpend(t, fresh, randomID()) // others are not affected
}

// TestMarkingAgainIsRepeated: where it fails it is done with the next look, and no other change of
// master is waited for.
func TestMarkingAgainIsRepeated(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s := openUnaware(t, Config{Addrs: []string{server.Addr()}, Timeout: 10 * time.Second})
	id := store.AssertionID(randomID())
	mustSpend(t, s, id)
	server.Do("flushall")
	server.Do("config", "set", "maxmemory", 1)
	s.reapply(t.Context())
	if got := server.Do("exists", s.deps.Key.Assertion(id)); got != int64(0) {
		t.Fatal("it could be marked")
	}
	server.Do("config", "set", "maxmemory", 0)
	if err := s.check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := server.Do("exists", s.deps.Key.Assertion(id)); got != int64(1) {
		t.Error("it was not marked again")
	}
}

// TestMoveOfAssertions: what was used stays so in another store, for as long as before.
func TestMoveOfAssertions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	open := func() *Store {
		return mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	}
	from, to := open(), open()
	id, until := store.AssertionID(randomID()), store.Millis(time.Now().Add(time.Hour))
	if err := from.UseAssertion(t.Context(), id, until); err != nil {
		t.Fatal(err)
	}
	var records []store.Record
	if err := from.Export(t.Context(), func(r store.Record) error { records = append(records, r); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(records) != 1 || records[0].UsedAssertion == nil || records[0].UsedAssertion.ID != id {
		t.Fatalf("exported: got %+v, want the assertion", records)
	}
	if off := records[0].UsedAssertion.Until.Sub(until); off.Abs() > time.Minute/2 {
		t.Errorf("exported: it is good until %v, want %v", records[0].UsedAssertion.Until, until)
	}
	records = append(records, records[0]) // a walk over the keys may meet one twice
	err := to.Import(t.Context(), store.Manifest{Install: store.Install{ID: "x"}}, func(yield func(store.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := wasUsed(t.Context(), to, id); err != nil {
		t.Errorf("after the move: %v", err)
	}
	from.node().Set(t.Context(), string(from.deps.Key)+":a:{aodd}", "", time.Hour)
	if err := from.Export(t.Context(), func(store.Record) error { return nil }); !isUnavailable(err) {
		t.Errorf("Export with a key that is none: got %v, want ErrUnavailable", err)
	}
}
