package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// TestHeldBytes has three replicas, one of them behind a network that holds what it is sent and delivers
// it seconds later, and 24 apps that send the same request again, elsewhere, when they are told 503. The
// late commands signed apps out, as thieves, when they had no deadline; that is shown first.
func TestHeldBytes(t *testing.T) {
	t.Parallel()
	if out, alive := heldBytes(t, false, time.Second); out == 0 {
		t.Errorf("without deadlines nobody was signed out (%d go on): the network did not do what the test is about", alive)
	}
	holds := []time.Duration{time.Second, 3 * time.Second}
	if !testing.Short() {
		holds = append(holds, 15*time.Second)
	}
	if out, alive := heldBytes(t, true, holds...); out > 0 {
		t.Errorf("%d apps were signed out and %d go on, want all", out, alive)
	}
}

const heldApps = 24

func heldBytes(t *testing.T, deadlines bool, holds ...time.Duration) (signedOut, alive int) {
	server := redistest.Start(t, redistest.Config{})
	proxy := network.NewProxy(t, server.Addr())
	cfg := rest(Config{Prefix: newPrefix(), PoolSize: 2 * heldApps})
	var stores []*Store
	for _, addr := range []string{server.Addr(), server.Addr(), proxy.Addr()} {
		cfg.Addrs = []string{addr}
		s, err := Open(t.Context(), cfg) // it decides by the server's time, as in production
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if !deadlines {
			s.node().AddHook(deadlineHook(0)) // none
		}
		stores = append(stores, s)
	}
	var tokens [heldApps]token
	for i := range tokens {
		tokens[i] = tokenOf(seedSession(t, stores[0], seedUser(t, stores[0]).ID))
	}
	var out atomic.Int64
	var apps sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for i := range tokens {
		apps.Go(func() {
			for ctx.Err() == nil {
				next, o, err := tokens[i].present(context.Background(), stores[rand.IntN(len(stores))])
				switch {
				case errors.Is(err, store.ErrUnavailable): // send the same request again
				case err != nil || !goesOn(o):
					out.Add(1)
					return
				default:
					tokens[i] = next
				}
				if pause(ctx, time.Duration(20+rand.IntN(60))*time.Millisecond) != nil {
					return
				}
			}
		})
	}
	held := proxy.Counts().Held
	for _, hold := range holds {
		_ = pause(ctx, 200*time.Millisecond)
		proxy.Hold()
		_ = pause(ctx, hold)
		proxy.Heal()
	}
	_ = pause(ctx, 500*time.Millisecond)
	stop()
	apps.Wait()
	if proxy.Counts().Held == held {
		t.Fatal("the proxy has held nothing")
	}
	for _, k := range tokens {
		next, o, err := k.present(t.Context(), stores[0])
		if err != nil || !goesOn(o) {
			continue
		}
		alive++
		k.generation -= min(k.generation, 3)
		if _, o, err := k.present(t.Context(), stores[1]); err != nil || o != store.Reused {
			t.Errorf("an old token of a session at generation %d: got %v, %v, want reuse", next.generation, o, err)
		}
	}
	return int(out.Load()), alive
}

// TestGraceByTheServersTime: the clocks of the replicas are 70 seconds apart and more, and the grace window is
// as long as it is.
func TestGraceByTheServersTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	s, err := Open(t.Context(), rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	for name, c := range map[string]struct{ start, first, second time.Duration }{
		"one far ahead":                  {0, 0, time.Hour},
		"one far behind":                 {0, 0, -time.Hour},
		"the login far ahead":            {time.Hour, 0, 0},
		"the rotation by one far ahead":  {0, time.Hour, 0},
		"the rotation by one far behind": {0, -time.Hour, 0},
	} {
		now := time.Now()
		in := store.Session{ID: randomID(), UserID: seedUser(t, s).ID, ClientID: app, StartedAt: now.Add(c.start)}
		session, _, err := s.StartSession(t.Context(), in, store.SessionLimits{})
		if err != nil {
			t.Fatal(err)
		}
		r := store.Rotation{UserID: session.UserID, SessionID: session.ID, ClientID: app, Lifetimes: long, Grace: time.Minute, MaxReplays: 3}
		for i, at := range []time.Duration{c.first, c.second} {
			r.Now = now.Add(at)
			got, _, o, err := s.Rotate(t.Context(), r)
			if want := []store.Outcome{store.Rotated, store.Replayed}[i]; err != nil || o != want {
				t.Errorf("%s: got %v, %v, want %v", name, o, err, want)
			}
			if off := time.Until(got.RotatedAt).Abs(); off > time.Minute {
				t.Errorf("%s: the rotation is %v off", name, off)
			}
		}
	}
}
