package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/store"
)

const (
	beatEvery = 20 * time.Second // how often a replica says which keyring it holds
	beatTTL   = time.Minute      // how long that counts
)

// heart says which keyring this replica holds, and remembers what the others have said.
type heart struct {
	said         atomic.Uint64 // the version that was said last
	live, behind atomic.Int64  // replicas, this one included; those of them with an older keyring than ours
}

func (s *Server) beat(ctx context.Context) {
	hb := store.Heartbeat{Replica: s.replica, KeyringVersion: s.cfg.Keys.Version(), At: s.now()}
	err := s.store.Beat(ctx, hb, beatTTL)
	if err == nil {
		s.heart.said.Store(hb.KeyringVersion)
		err = s.listen(ctx)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("heartbeat", slog.Any("error", err))
	}
}

// beatNews says at once that the keyring is another: who waits for all replicas to have it must not
// wait for the next turn.
func (s *Server) beatNews(ctx context.Context) {
	if s.heart.said.Load() != s.cfg.Keys.Version() {
		s.beat(ctx)
	}
}

// listen counts the replicas.
func (s *Server) listen(ctx context.Context) error {
	beats, err := s.store.Beats(ctx, s.now())
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
	return nil
}
