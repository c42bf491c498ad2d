package server

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
)

const (
	beatEvery = 20 * time.Second // how often a replica says which keyring it holds
	beatTTL   = time.Minute      // how long that counts
)

// heart remembers what the replicas have said.
type heart struct {
	live, behind atomic.Int64 // replicas, this one included; those of them with an older keyring than ours
	differing    atomic.Int64 // those of them with other settings

	mu         sync.Mutex
	difference string // that was logged last
}

// beat says what this replica holds, and hears what the others do.
func (s *Server) beat(ctx context.Context) {
	err := s.tell(ctx, beatTTL)
	if err == nil {
		err = s.hearClocks(ctx)
	}
	if err == nil {
		err = s.listen(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("heartbeat", slog.Any("error", err))
	}
}

// leave takes this replica out of the list at an orderly end, so that nobody waits for it.
func (s *Server) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.tell(ctx, 0); err != nil {
		s.log.Warn("taking the heartbeat back", slog.Any("error", err))
	}
}

// tell says what this replica holds, for others to believe for ttl.
func (s *Server) tell(ctx context.Context, ttl time.Duration) error {
	hb := store.Heartbeat{Replica: s.replica, KeyringVersion: s.cfg.Keys.Version(), At: s.now(),
		MasterKeys: strings.Join(s.cfg.Keys.MasterKeyHints(), ","), Issuer: s.cfg.Issuer, Timetable: s.cfg.Timetable}
	return s.store.Beat(ctx, hb, ttl)
}

// listen counts the replicas.
func (s *Server) listen(ctx context.Context) error {
	beats, err := s.store.Beats(ctx, s.rightTime())
	if err != nil {
		return err
	}
	behind := 0
	for _, b := range beats {
		if b.KeyringVersion < s.cfg.Keys.Version() {
			behind++
		}
	}
	s.heart.live.Store(int64(len(beats)))
	s.heart.behind.Store(int64(behind))
	s.compareFleet(beats)
	return nil
}
