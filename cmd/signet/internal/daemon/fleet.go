package daemon

import (
	"context"
	"fmt"
	"time"

	"signet/config"
	"signet/store"
)

// checkIssuers returns an error if servers on the same store have another issuer. The server itself warns of other
// differences while it runs.
func checkIssuers(ctx context.Context, s store.Heartbeats, cfg config.Config) error {
	beats, err := s.Beats(ctx, time.Now())
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	for _, b := range beats {
		if b.Issuer != "" && b.Issuer != cfg.Issuer {
			return fmt.Errorf("issuer: it is %s here, and replica %s on the same store has %s; give all servers of one store the same issuer "+
				"(to change it, stop all of them first; one that did not stop in order is forgotten within a minute)", cfg.Issuer, b.Replica, b.Issuer)
		}
	}
	return nil
}
