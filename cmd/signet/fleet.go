package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/server/replica"
	"signet/store"
)

// checkFleet refuses to join servers that have another issuer. Other differences are warned about by
// the server once it runs.
func checkFleet(ctx context.Context, s store.Heartbeats, cfg config.Config) error {
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

// examineFleet compares the configuration with what running servers have.
func (d *doctor) examineFleet(ctx context.Context, s store.Heartbeats, cfg config.Config) {
	beats, err := s.Beats(ctx, time.Now())
	if err != nil || len(beats) == 0 {
		return // the store is examined elsewhere
	}
	same := 0
	for _, b := range beats {
		list := replica.Differences(cfg.Issuer, install.TimetableText(cfg), b)
		switch {
		case len(list) == 0:
			same++
		case b.Issuer != "" && b.Issuer != cfg.Issuer:
			d.note("replicas", stateProblem, fmt.Sprintf("replica %s runs with %s; all servers of one store need the same issuer", b.Replica, strings.Join(list, " ")))
		default:
			d.note("replicas", stateWarning, fmt.Sprintf("replica %s runs with %s; give all servers of one store the same timetable", b.Replica, strings.Join(list, " ")))
		}
	}
	if same == len(beats) {
		d.note("replicas", stateOK, fmt.Sprintf("%d running, with the settings of this configuration", same))
	}
}
