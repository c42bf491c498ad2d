package bolt

import (
	"context"

	"signet/store/bolt/layout"
	"signet/store/bolt/upkeep"
)

// Stats are numbers for the operator.
type Stats struct {
	Bytes     int64 // size of the file
	FreeBytes int64 // of it that are free for new records; `signet store compact` gives them back
	Damaged   bool  // damage was found since the start
	Verified  bool  // the check that Verify begins came to its end
	Swept     map[string]upkeep.Round
}

// Stats returns the numbers of this moment.
func (s *Store) Stats() Stats {
	stats := Stats{Damaged: s.db.Damage() != nil, Verified: s.Verified(), Swept: s.sweeper.Rounds()}
	if info, err := s.db.File.Stat(); err == nil {
		stats.Bytes = info.Size()
	}
	_ = s.db.View(context.Background(), func(tx *layout.Tx) error {
		if free, err := s.db.File.FreeBytes(tx.Tx); err == nil { // else 0
			stats.FreeBytes = free
		}
		return nil
	})
	return stats
}
