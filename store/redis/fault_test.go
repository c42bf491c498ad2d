package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

func newPrefix() string { return fmt.Sprint("signet:test-", os.Getpid(), "-", prefixes.Add(1)) }

// TestFaults breaks the server, or the way to it, under a store that stays open. Every method is
// answered in time, and with store.ErrUnavailable; when it works again so does
// the store, and what was acknowledged before is there.
func TestFaults(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	proxy := network.NewProxy(t, server.Addr())
	for _, f := range []struct {
		name     string
		inject   func()
		heal     func()
		happened func(before, after network.ProxyCounts) bool // nil: injecting it was enough
	}{
		{"replies after 300 ms", func() { proxy.Delay(300 * time.Millisecond) }, proxy.Heal,
			func(a, b network.ProxyCounts) bool { return b.Delayed > a.Delayed }},
		{"replies after 3 s", func() { proxy.Delay(3 * time.Second) }, proxy.Heal,
			func(a, b network.ProxyCounts) bool { return b.Delayed > a.Delayed }},
		{"nothing gets through", proxy.Hold, proxy.Heal,
			func(a, b network.ProxyCounts) bool { return b.Held > a.Held }},
		{"connections cut", proxy.Cut, proxy.Heal,
			func(a, b network.ProxyCounts) bool { return b.Cut > a.Cut }},
		{"server frozen", server.Freeze, server.Thaw, nil},
		{"server killed", server.Kill, server.Restart, nil},
	} {
		t.Run(f.name, func(t *testing.T) {
			cfg := Config{Addrs: []string{proxy.Addr()}, Prefix: newPrefix(), PoolSize: 100}
			x, kept := newSubject(), newSubject()
			kept.user.Username, kept.client.ID, kept.session.ClientID = "kept", "kept", "kept"
			s := openPopulated(t, cfg, x, kept)
			before := proxy.Counts()
			f.inject()
			inTime(t, s, x)
			if f.happened != nil && !f.happened(before, proxy.Counts()) {
				t.Errorf("the fault has not happened: %+v, then %+v", before, proxy.Counts())
			}
			f.heal()
			recovers(t, s)
			redistest.Wait(t, "what was there before", func() error {
				session, _, o, err := s.Rotate(t.Context(), kept.rotation(0))
				if err == nil && session.Generation != 1 { // rotated, or replayed on a machine so busy that it takes two
					t.Fatalf("Rotate afterwards: got %v and generation %d", o, session.Generation)
				}
				return err
			})
		})
	}
}

// openPopulated opens a store with the bounds that production has, for faults to run into. A busy
// machine may run into them too, so what has to work before the fault is done by another store, or
// more than once.
func openPopulated(t *testing.T, cfg Config, subjects ...subject) (s *Store) {
	t.Helper()
	patient := rest(cfg)
	patient.Timeout = 10 * time.Second
	populator := mustOpen(t, patient)
	for _, x := range subjects {
		x.populate(t, populator)
	}
	redistest.Wait(t, "the store to open", func() (err error) {
		s, err = Open(t.Context(), rest(cfg))
		return err
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// inTime calls every method at once, first against a closed breaker.
func inTime(t *testing.T, s *Store, x subject) {
	t.Helper()
	var calls sync.WaitGroup
	for _, m := range slices.Concat(methods, upkeep) {
		calls.Go(func() {
			begun := time.Now()
			got, err := m.call(t.Context(), s, x)
			if took := time.Since(begun); took > slow {
				t.Errorf("%s took %v", m.name, took)
			}
			if !isUnavailable(err) {
				t.Errorf("%s: got %v and error %v, want ErrUnavailable", m.name, got, err)
			}
		})
	}
	calls.Wait()
}

func recovers(t *testing.T, s *Store) {
	t.Helper()
	redistest.Wait(t, "the store to work again", func() error {
		return errors.Join(s.check(t.Context()), s.Ping(t.Context()))
	})
}

// TestLostRotation: the answer of a rotation is lost after it was carried out. Whoever asks again
// gets the same generation, and the session lives.
func TestLostRotation(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	s := mustOpen(t, rest(Config{Addrs: []string{proxy.Addr()}, Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); o != store.Rotated || err != nil { // the server has the script now
		t.Fatalf("Rotate: got %v and error %v", o, err)
	}
	proxy.LoseReplies("evalsha")
	if _, _, o, err := s.Rotate(t.Context(), x.rotation(1)); !isUnavailable(err) {
		t.Fatalf("Rotate without its answer: got %v and error %v, want ErrUnavailable", o, err)
	}
	if got := proxy.Counts().Lost; got != 1 {
		t.Fatalf("replies lost: got %d, want 1", got)
	}
	proxy.Heal()
	for range 2 {
		session, _, o, err := s.Rotate(t.Context(), x.rotation(1))
		if session.Generation != 2 || o != store.Replayed || err != nil {
			t.Errorf("the retry: got generation %d, %v and error %v, want 2, replayed", session.Generation, o, err)
		}
	}
}

// TestPoolExhaustion: far more callers than connections, and a server that takes its time.
func TestPoolExhaustion(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	s := mustOpen(t, rest(Config{Addrs: []string{proxy.Addr()}, PoolSize: 2, Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	proxy.Delay(50 * time.Millisecond)
	var answered, refused atomic.Int64
	var callers sync.WaitGroup
	for range 200 {
		callers.Go(func() {
			begun := time.Now()
			switch _, err := s.User(t.Context(), x.user.ID); {
			case err == nil:
				answered.Add(1)
			case isUnavailable(err) && errors.Is(err, redis.ErrPoolTimeout):
				refused.Add(1)
			default:
				t.Errorf("got error %v", err)
			}
			if took := time.Since(begun); took > slow {
				t.Errorf("a caller waited for %v", took)
			}
		})
	}
	callers.Wait()
	if answered.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d were answered and %d refused, want some of both", answered.Load(), refused.Load())
	}
	stats := s.Stats()
	if int64(stats.Pool.Timeouts) < refused.Load() || stats.BreakersOpen != 0 {
		t.Errorf("got %d pool timeouts and %d open breakers, want %d and none: the server works", stats.Pool.Timeouts, stats.BreakersOpen, refused.Load())
	}
	proxy.Heal()
	if _, err := s.User(t.Context(), x.user.ID); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestScriptFlush: the server forgets its scripts over and over, while every connection is in use.
// No call fails.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	const callers = 8
	server := redistest.Start(t, redistest.Config{})
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, PoolSize: callers, Timeout: 10 * time.Second}))
	x := newSubject()
	x.populate(t, s)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var load sync.WaitGroup
	for range callers {
		mine := x
		rand.Read(mine.session.ID[:])
		if _, _, err := s.StartSession(ctx, mine.session, store.SessionLimits{}); err != nil {
			t.Fatal(err)
		}
		load.Go(func() {
			for generation := uint32(0); ctx.Err() == nil; generation++ {
				session, _, o, err := s.Rotate(t.Context(), mine.rotation(generation))
				if o != store.Rotated || session.Generation != generation+1 || err != nil {
					t.Errorf("generation %d: got %d, %v and error %v", generation, session.Generation, o, err)
					return
				}
			}
		})
	}
	const flushes = 100
	for range flushes {
		server.Do("script", "flush")
	}
	redistest.Wait(t, "scripts to be sent whole", func() error {
		var calls int
		about := server.Info("commandstats")["cmdstat_eval"]
		if _, err := fmt.Sscanf(about, "calls=%d", &calls); err != nil || calls < 20 {
			return fmt.Errorf("so far %q", about)
		}
		return nil
	})
	stop()
	load.Wait()
}
