package bolt

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/store"
)

// heartbeats are kept in memory only: the one process that can write them is the one that reads them.
type heartbeats struct {
	mu   sync.Mutex
	last map[string]beat // by replica
}

type beat struct {
	store.Heartbeat
	until time.Time
}

// Beat implements store.Heartbeats.
func (s *Store) Beat(ctx context.Context, hb store.Heartbeat, ttl time.Duration) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	hb.At = store.Millis(hb.At)
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	s.beats.last[hb.Replica] = beat{hb, hb.At.Add(ttl)}
	return nil
}

// Beats implements store.Heartbeats.
func (s *Store) Beats(ctx context.Context, now time.Time) ([]store.Heartbeat, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	var live []store.Heartbeat
	for replica, b := range s.beats.last {
		if !now.Before(b.until) {
			delete(s.beats.last, replica)
			continue
		}
		live = append(live, b.Heartbeat)
	}
	slices.SortFunc(live, func(a, b store.Heartbeat) int { return strings.Compare(a.Replica, b.Replica) })
	return live, nil
}

// open answers an error where the store is closed or the caller has given up: for what is answered
// from memory.
func (s *Store) open(ctx context.Context) error {
	if s.closed.Load() {
		return s.unavailable("using", errClosed)
	}
	if err := ctx.Err(); err != nil {
		return s.unavailable("using", err)
	}
	return nil
}
