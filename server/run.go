package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"signet/store"
)

const summariseEvery = time.Second // how often the log gets what is due of counts

const sweepEvery = time.Minute // how often a little of what has run out is deleted

// Run does the server's housekeeping until ctx ends.
func (s *Server) Run(ctx context.Context) {
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { s.store.Subscribe(ctx, s.hinted) })
	watching.Go(func() { s.hashes.Run(ctx) })
	watching.Go(func() { s.names.Run(ctx) })
	watching.Go(func() { s.wraps.Run(ctx) })
	watching.Go(func() { s.summariseUntil(ctx) })
	watching.Go(func() { s.replica.Run(ctx) })
	watching.Go(func() { s.backChannel.Run(ctx) })
	sweep, clients := time.NewTicker(sweepEvery), time.NewTicker(s.cfg.ClientMaxAge*4/5)
	defer sweep.Stop()
	defer clients.Stop()
	s.oauth.WarnPinned(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-clients.C:
			if err := s.clients.Check(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("asking whether clients have changed", slog.Any("error", err))
			}
		case <-sweep.C:
			if s.cfg.Keys.Clock().Check() != nil {
				continue // it would delete what has not run out
			}
			if _, err := s.store.Sweep(ctx, s.now(), s.settings().Lifetimes); err != nil && ctx.Err() == nil {
				s.log.Warn("sweeping what has run out", slog.Any("error", err))
			}
		}
	}
}

// raiseFloors does what could not be done when a client was changed.
func (s *Server) raiseFloors(ctx context.Context) {
	if err := s.floors.RaiseAll(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn("noting the revisions of clients", slog.Any("error", err))
	}
}

// summariseUntil has its own loop: a store that hangs must not keep the outage out of the log.
func (s *Server) summariseUntil(ctx context.Context) {
	tick := time.NewTicker(summariseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.summarise()
		}
	}
}

// summarise writes what is due of outages, and of lines and events that were only counted.
func (s *Server) summarise() {
	s.edge.Summarise()
	s.audit.Tick()
}

// hinted takes another replica's word that something has changed.
func (s *Server) hinted(h store.ChangeEvent) {
	switch h.Kind {
	case store.ClientChanged:
		s.clients.Drop(h.ID)
	case store.KeyringChanged:
		s.cfg.Keys.Poll()
	}
}
