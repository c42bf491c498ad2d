package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
)

// A replica whose clock is off decides nothing: its tokens would say the wrong time, and so would
// the sessions, revocations and attempts that it writes down for the others.

// hearClocks tells the keyring what the clocks of the other replicas show. It asks for heartbeats of
// long ago too, since this clock may be ahead, and for all when it is known to be off: the store
// forgets what it takes for over.
func (s *Server) hearClocks(ctx context.Context) error {
	asked := s.now()
	since := asked.Add(-24 * time.Hour)
	if s.cfg.Keys.Clock().Check() != nil {
		since = time.Time{}
	}
	beats, err := s.store.Beats(ctx, since)
	if err != nil {
		return err
	}
	clocks := make(map[string]time.Time, len(beats))
	for _, b := range beats {
		if b.Replica != s.replica {
			clocks[b.Replica] = b.At
		}
	}
	s.cfg.Keys.Clock().ObservePeers(asked, clocks)
	return nil
}

// rightTime is what the other replicas' clocks show, as far as this one knows.
func (s *Server) rightTime() time.Time {
	if c := s.cfg.Keys.Clock().Status(); c.Off {
		return s.now().Add(-c.Offset)
	}
	return s.now()
}

func registerClock(reg prometheus.Registerer, keyring *keys.Manager) {
	gauge(reg, "signet_clock_behind_seconds", "Seconds that this machine's clock is behind the latest time that was ever seen, where that is more than keys.skew: it signs nothing then.",
		func() float64 { return keyring.Clock().Behind().Seconds() })
	gauge(reg, "signet_keyring_mark_timestamp_seconds", "When this server last wrote its mark of the keyring into data_dir, in Unix seconds; 0: not since the start.",
		func() float64 {
			if at := keyring.MarkedAt(); !at.IsZero() {
				return float64(at.UnixMilli()) / 1000
			}
			return 0
		})
	gauge(reg, "signet_clock_offset_seconds", "Seconds that this machine's clock is ahead of the store's; 0 where the store has none.",
		func() float64 { return keyring.Clock().Status().Offset.Seconds() })
}
