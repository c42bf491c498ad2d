package server

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
)

const (
	beatEvery = 20 * time.Second // how often a replica says which keyring it holds
	beatTTL   = time.Minute      // how long that counts

	// After its start a replica knows no other clock than the store's, until it has seen two heartbeats
	// of another replica. So it beats faster at first.
	firstBeats     = time.Minute
	firstBeatEvery = 2 * time.Second
)

// untilBeat is how long it is to the next heartbeat of a replica that has run for that long.
func untilBeat(running time.Duration) time.Duration {
	if running < firstBeats {
		return firstBeatEvery
	}
	return beatEvery
}

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
		MasterKeys: strings.Join(s.cfg.Keys.MasterKeyHints(), ","), Issuer: s.cfg.Issuer, Timetable: s.cfg.Timetable, Format: s.format()}
	return s.store.Beat(ctx, hb, ttl)
}

// liveBeats returns the heartbeats of the replicas that run. A replica whose clock is off asks for all and
// chooses itself: the store forgets what it takes for over, and whether this replica is wrong or the
// store is decided by the heartbeats.
func (s *Server) liveBeats(ctx context.Context) ([]store.Heartbeat, error) {
	if s.cfg.Keys.Clock().Check() == nil {
		return s.store.Beats(ctx, s.now())
	}
	now := s.rightTime()
	beats, err := s.store.Beats(ctx, time.Time{})
	return slices.DeleteFunc(beats, func(b store.Heartbeat) bool { return !now.Before(b.At.Add(beatTTL)) }), err
}

// listen counts the replicas.
func (s *Server) listen(ctx context.Context) error {
	beats, err := s.liveBeats(ctx)
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
