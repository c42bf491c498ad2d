package bolt

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
)

// heartbeats are kept in memory only: the one process that can write them is the one that reads them.
type heartbeats struct {
	db *commit.DB

	mu   sync.Mutex
	last map[string]beat // by replica
}

type beat struct {
	store.Heartbeat
	until time.Time
}

// Beat implements store.Heartbeats.
func (s *heartbeats) Beat(ctx context.Context, hb store.Heartbeat, ttl time.Duration) error {
	if err := s.db.Usable(ctx); err != nil {
		return err
	}
	hb.At = store.Millis(hb.At)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[hb.Replica] = beat{hb, hb.At.Add(ttl)}
	return nil
}

// Beats implements store.Heartbeats.
func (s *heartbeats) Beats(ctx context.Context, now time.Time) ([]store.Heartbeat, error) {
	if err := s.db.Usable(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []store.Heartbeat
	for replica, b := range s.last {
		if !now.Before(b.until) {
			delete(s.last, replica)
			continue
		}
		live = append(live, b.Heartbeat)
	}
	slices.SortFunc(live, func(a, b store.Heartbeat) int { return strings.Compare(a.Replica, b.Replica) })
	return live, nil
}
