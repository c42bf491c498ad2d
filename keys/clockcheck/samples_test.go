package clockcheck

import (
	"fmt"
	"maps"
	"testing"
	"time"
)

// TestCoarseReadings: a reading too coarse to decide whether a clock is within the tolerance counts for
// neither side, except where it shows that the storage's clock is not the peer's.
func TestCoarseReadings(t *testing.T) {
	start := time.Now()
	const s, tolerance = time.Second, time.Minute
	type span struct{ least, most time.Duration }
	for _, tc := range []struct {
		name      string
		storage   span
		peers     []span
		tolerance time.Duration
		off       bool
		disputed  bool
	}{
		{"ahead by S + 5 s, and heartbeats of the last 20 s", span{65 * s, 65 * s}, []span{{58 * s, 78 * s}, {50 * s, 70 * s}, {60 * s, 80 * s}}, tolerance, true, false},
		{"behind by S + 5 s", span{-65 * s, -65 * s}, []span{{-75 * s, -55 * s}, {-65 * s, -45 * s}}, tolerance, true, false},
		{"ahead by S + 5 s, one exact reading on each side", span{65 * s, 65 * s}, []span{{64 * s, 66 * s}, {0, s}}, tolerance, true, false},
		{"the storage's clock is an hour off, and the readings are coarser than S", span{-3600 * s, -3600 * s}, []span{{-2 * s, 18 * s}, {-5 * s, 15 * s}}, s, false, true},
		{"the storage's clock is a little off, and the readings are too coarse to show it", span{-5 * s, -5 * s}, []span{{-12 * s, 8 * s}}, s, true, false},
		{"right, with coarse readings", span{0, 0}, []span{{-10 * s, 10 * s}, {-70 * s, -50 * s}}, tolerance, false, false},
		{"all exact, and all agree with this one", span{3600 * s, 3600 * s}, []span{{0, s}}, tolerance, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := Samples{storage: &reading{tc.storage.least, tc.storage.most, start}, peers: map[string]peer{}}
			for i, p := range tc.peers {
				w.peers[fmt.Sprint(i)] = peer{reading: &reading{p.least, p.most, start}}
			}
			if got := w.Evaluate(start, tc.tolerance); got.Off != tc.off || got.Disputed != tc.disputed {
				t.Errorf("got %+v, want off %v, disputed %v", got, tc.off, tc.disputed)
			}
		})
	}
}

// TestOldHeartbeats: the age of a heartbeat that was there before is not known, so it counts for nothing,
// and neither does a replica that has been silent for long.
func TestOldHeartbeats(t *testing.T) {
	now := time.Now()
	var s Samples
	silent := map[string]time.Time{"other": now.Add(-10 * time.Minute)}
	for range 5 {
		s.ObservePeers(maps.Clone(silent), now, now)
		now = now.Add(20 * time.Second)
	}
	if c := s.Evaluate(now, time.Second); c.Known || c.Off {
		t.Errorf("by a heartbeat of a replica that is gone: got %+v", c)
	}
	s.ObservePeers(map[string]time.Time{"other": now.Add(-time.Hour)}, now, now)
	if c := s.Evaluate(now, time.Second); !c.Off {
		t.Errorf("by a new heartbeat: got %+v, want off", c)
	}
	now = now.Add(peerKept + 1)
	if c := s.Evaluate(now, time.Second); c.Known || c.Off {
		t.Errorf("by a replica that has become silent: got %+v", c)
	}
}
