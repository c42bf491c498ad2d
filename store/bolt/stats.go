package bolt

import (
	"context"
	"time"
)

// Stats are numbers for the operator.
type Stats struct {
	Bytes     int64 // size of the file
	FreeBytes int64 // of it that are free for new records; `signet store compact` gives them back
	Damaged   bool  // damage was found since the start
	Verified  bool  // the check that Verify begins came to its end
	Swept     map[string]SweepStats
}

// SweepStats is what the last walk of the sweep through all records of a kind has found.
type SweepStats struct {
	Records int           // that are left
	Took    time.Duration // how long a record that has run out waits for its deletion, at most
}

// Stats returns the numbers of this moment.
func (s *Store) Stats() Stats {
	stats := Stats{Damaged: s.verified.damage() != nil, Verified: s.verified.done.Load()}
	if info, err := s.file.Stat(); err == nil {
		stats.Bytes = info.Size()
	}
	stats.FreeBytes = s.freeBytes()
	stats.Swept = map[string]SweepStats{}
	for kind, w := range map[string]*walk{"sessions": &s.sweeper.sessions, "revoked_tokens": &s.sweeper.revoked, "assertions": &s.sweeper.spent} {
		if r := w.round.Load(); r != nil {
			stats.Swept[kind] = SweepStats{r.records, r.took}
		}
	}
	return stats
}

// freeBytes reads the length of the list of free pages; 0 where it cannot be read.
func (s *Store) freeBytes() (free int64) {
	_ = s.viewContext(context.Background(), func(tx snapshot) error {
		n, err := s.file.FreeBytes(tx.Tx)
		if err == nil {
			free = n
		}
		return nil
	})
	return free
}
