package redis

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"signet/store/redis/conn"
	"signet/store/redis/redistest"
)

// TestTheTimeComesWithTheKeyring: in its round trip, from one server and from a cluster.
func TestTheTimeComesWithTheKeyring(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	cluster := redistest.StartCluster(t, 3, 0)
	for name, cfg := range map[string]Config{
		"server":  {Addrs: []string{server.Addr()}},
		"cluster": {Mode: conn.Cluster, Addrs: cluster.Addrs()},
	} {
		t.Run(name, func(t *testing.T) {
			var trips atomic.Int64
			cfg.Prefix, cfg.Timeout = newPrefix(), 10*time.Second
			cfg.Observe = func(context.Context, string, time.Duration, error) { trips.Add(1) }
			s := mustOpen(t, rest(cfg))
			if _, err := s.SwapKeyring(t.Context(), 0, 3, []byte("sealed")); err != nil {
				t.Fatal(err)
			}
			trips.Store(0)
			before := time.Now()
			version, document, at, err := s.LoadKeyringAt(t.Context())
			after := time.Now()
			if err != nil || version != 3 || string(document) != "sealed" {
				t.Errorf("got version %d, %q, %v", version, document, err)
			}
			if at.Before(before.Add(-time.Second)) || at.After(after.Add(time.Second)) { // one machine, one clock
				t.Errorf("the time: got %v, want one between %v and %v", at, before, after)
			}
			if got := trips.Load(); got != 1 {
				t.Errorf("got %d round trips, want one", got)
			}
		})
	}
}

// TestTimeThatIsNotTold: a user of before may not ask for it, and reads the keyring all the same.
func TestTimeThatIsNotTold(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Conf: []string{recommendedUser(t, "signet", canary)}})
	cfg := rest(Config{Addrs: []string{server.Addr()}, Username: "signet", Password: secret, Prefix: newPrefix(), Timeout: 10 * time.Second})
	s := mustOpen(t, cfg)
	if _, err := s.SwapKeyring(t.Context(), 0, 3, []byte("sealed")); err != nil {
		t.Fatal(err)
	}
	const lacksTime = "it may not be asked for the time"
	if slices.Contains(lacks(t, s), lacksTime) {
		t.Error("Check complains of a right that is there")
	}
	server.Do("acl", "setuser", "signet", "-time")
	for range 30 { // more than a breaker lets pass
		if version, document, at, err := s.LoadKeyringAt(t.Context()); err != nil || version != 3 || string(document) != "sealed" || !at.IsZero() {
			t.Fatalf("got version %d, %q at %v, %v", version, document, at, err)
		}
	}
	if !slices.Contains(lacks(t, s), lacksTime) {
		t.Error("Check does not say that the time is not told")
	}
}
