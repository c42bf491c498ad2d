package e2e

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/keys"
	"signet/keys/masterkey"
	"signet/store/redis"
	"signet/store/redis/redistest"
)

var errKilled = errors.New("the replica was killed")

// rotator is a replica's keyring with a connection to Redis of its own. Its compare-and-set waits
// for those of the others; one of them is killed around it.
type rotator struct {
	keys.Storage
	manager *keys.Manager
	ready   *sync.WaitGroup
	kill    *atomic.Value // before, after or nothing; the first takes it
	won     *atomic.Int64
}

func (r *rotator) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	r.ready.Done()
	r.ready.Wait()
	kill := r.kill.Swap("")
	if kill == "before" {
		return false, errKilled
	}
	swapped, err := r.Storage.SwapKeyring(ctx, old, next, document)
	if swapped {
		r.won.Add(1)
	}
	if kill == "after" {
		return false, errKilled
	}
	return swapped, err
}

// TestRotatorsOnRedis: however many replicas write the next version at the same moment, Redis lets
// one of them; where that one is killed before or after, another finishes.
func TestRotatorsOnRedis(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			server := redistest.Start(t, redistest.Config{})
			var ready sync.WaitGroup
			var kill atomic.Value
			var won atomic.Int64
			master := masterkey.New()
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			config := func(r *rotator) keys.Config {
				return keys.Config{Storage: r, InstallID: "rotators", Master: []masterkey.Key{master}, Now: func() time.Time { return now }}
			}
			rotators := make([]*rotator, n)
			for i := range rotators {
				s, err := redis.Open(t.Context(), redis.Config{Addrs: []string{server.Addr()}})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				rotators[i] = &rotator{Storage: s, ready: &ready, kill: &kill, won: &won}
			}
			ready.Add(1)
			kill.Store("")
			if err := keys.Init(t.Context(), config(rotators[0])); err != nil {
				t.Fatal(err)
			}
			for round, killed := range []string{"", "before", "after", "", "before", "after"} {
				for _, r := range rotators {
					m, err := keys.Open(t.Context(), config(r))
					if err != nil {
						t.Fatal(err)
					}
					r.manager = m
				}
				now = now.Add(31 * 24 * time.Hour)
				ready.Add(n)
				kill.Store(killed)
				won.Store(0)
				dead := stepTogether(t, rotators)
				version, _, err := rotators[0].LoadKeyring(t.Context())
				if want := uint64(round + 2); err != nil || version != want || won.Load() != 1 {
					t.Errorf("round %d: version %d, written %d times (%v), want %d, once", round, version, won.Load(), err, want)
				}
				if (dead == 1) != (killed != "") {
					t.Errorf("round %d: %d were killed %s", round, dead, killed)
				}
			}
		})
	}
}

// stepTogether returns how many were killed; the others must have the version that came of it.
func stepTogether(t *testing.T, rotators []*rotator) (dead int64) {
	var all sync.WaitGroup
	var killed atomic.Int64
	for _, r := range rotators {
		all.Go(func() {
			err := r.manager.Step(t.Context())
			switch {
			case errors.Is(err, errKilled):
				killed.Add(1)
			case err != nil:
				t.Errorf("Step: %v", err)
			}
		})
	}
	all.Wait()
	return killed.Load()
}
