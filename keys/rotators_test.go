package keys

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/keys/jose"
	"signet/keys/keystest"
)

var errKilled = errors.New("the replica was killed")

// race is a store that lets proposals wait for each other. It counts who won, and kills a writer
// around its compare-and-set.
type race struct {
	keystest.Storage
	ready sync.WaitGroup // those who have not proposed yet
	kill  atomic.Value   // string: before, after, or none
	asked atomic.Int64
	dead  atomic.Int64
	won   sync.Map // version: *atomic.Int64, how many were told that they wrote it
}

func (r *race) SwapKeyring(ctx context.Context, old, next uint64, document []byte) (bool, error) {
	r.asked.Add(1)
	r.ready.Done()
	r.ready.Wait()
	kill, _ := r.kill.Swap("").(string)
	if kill == "before" {
		r.dead.Add(1)
		return false, errKilled
	}
	swapped, err := r.Storage.SwapKeyring(ctx, old, next, document)
	if kill == "after" {
		r.dead.Add(1)
		return false, errKilled
	}
	if swapped {
		n, _ := r.won.LoadOrStore(next, new(atomic.Int64))
		n.(*atomic.Int64).Add(1)
	}
	return swapped, err
}

// However many replicas see at once that something is due, the keyring takes one step. Where the one
// that takes it is killed before or after its compare-and-set, another finishes.
func TestRotators(t *testing.T) {
	for _, n := range []int{2, 3, 8, 32} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, c, ev := &race{}, newClock(), &events{}
			cfg := testConfig(s, c)
			cfg.OnEvent = ev.add
			cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
			s.ready.Add(1) // Init
			mustOpen(t, cfg)
			replicas := make([]*Manager, n)
			for round := range 9 {
				for i := range replicas { // those that were killed and, for once, all of them
					if replicas[i] == nil || round == 5 {
						replicas[i] = mustOpen(t, cfg)
					}
				}
				kill := []string{"", "before", "after"}[round%3]
				s.kill.Store(kill)
				s.ready.Add(n)
				before, _ := s.Get()
				c.advance(30*24*time.Hour + time.Minute)
				stepTogether(t, replicas)
				s.wantOneStep(t, before, kill, ev)
				for i, m := range replicas {
					if m != nil && m.Version() != before+1 {
						t.Errorf("round %d: replica %d holds version %d, want %d", round, i, m.Version(), before+1)
					}
				}
				wantLineup(t, mustOpen(t, cfg), cfg.Algorithms)
			}
			if s.dead.Load() != 6 {
				t.Errorf("%d replicas were killed, want 6", s.dead.Load())
			}
			if want := 1 + 9*n; s.asked.Load() != int64(want) {
				t.Errorf("%d proposals, want %d: one of each replica for each step", s.asked.Load(), want)
			}
		})
	}
}

// stepTogether releases all at once, and takes out those that are killed.
func stepTogether(t *testing.T, replicas []*Manager) {
	var all sync.WaitGroup
	release := make(chan struct{})
	for i, m := range replicas {
		all.Go(func() {
			<-release
			err := m.Step(t.Context())
			if errors.Is(err, errKilled) {
				replicas[i] = nil
			} else if err != nil {
				t.Errorf("Step: %v", err)
			}
		})
	}
	close(release)
	all.Wait()
}

// wantOneStep: the version is the next, and one replica reports that it wrote that, or none where
// the writer is dead.
func (r *race) wantOneStep(t *testing.T, before uint64, kill string, ev *events) {
	t.Helper()
	after, _ := r.Get()
	if after != before+1 {
		t.Errorf("version: got %d, want %d", after, before+1)
	}
	var told int64
	if n, ok := r.won.Load(after); ok {
		told = n.(*atomic.Int64).Load()
	}
	want := int64(1)
	if kill == "after" {
		want = 0
	}
	if told != want {
		t.Errorf("killed %q: %d replicas wrote version %d, want %d", kill, told, after, want)
	}
	if got := ev.all[len(ev.all)-1].Version; want == 1 && got != after {
		t.Errorf("the last event tells of version %d, want %d", got, after)
	}
}

// wantLineup: of each algorithm one key signs and one successor is pending.
func wantLineup(t *testing.T, m *Manager, algs []string) {
	t.Helper()
	count := map[string]int{}
	for _, k := range m.Keys() {
		count[k.Alg+" "+string(k.State)]++
	}
	for _, alg := range algs {
		if a, p := count[alg+" active"], count[alg+" pending"]; a != 1 || p != 1 {
			t.Errorf("%s: %d active and %d pending keys, want one each", alg, a, p)
		}
	}
}
