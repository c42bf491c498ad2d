package server

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/admin/api"
	"signet/store"
	"signet/store/seal"
)

// forgedEvery is how often the log names the same record that does not verify.
const forgedEvery = time.Minute

// watchSeals counts and logs records that do not verify.
func (s *Server) watchSeals(reg prometheus.Registerer) {
	forged := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_store_forged_records_total",
		Help: "Records that were read and did not verify: forged, damaged, or sealed under another master key."}, []string{"kind"})
	reg.MustRegister(forged)
	var mu sync.Mutex
	named := map[string]time.Time{}
	s.cfg.Seals.OnForged(func(e *seal.Error) {
		forged.WithLabelValues(strings.ReplaceAll(string(e.Kind), " ", "_")).Inc()
		mu.Lock()
		defer mu.Unlock()
		name, now := string(e.Kind)+" "+e.Key, s.now()
		if now.Sub(named[name]) < forgedEvery {
			return
		}
		if len(named) >= 1000 {
			clear(named)
		}
		named[name] = now
		s.log.Error("a record of the store does not verify: it is refused. Somebody else may have written to the store", slog.Any("error", e))
	})
}

// format is the format of the records that this replica writes; 0 where the store has only one.
func (s *Server) format() int {
	if sealer, ok := s.store.(store.Sealer); ok {
		return sealer.Format()
	}
	return 0
}

// A client with rights over Signet itself must not come back as it was: an old record of it verifies, and
// may have a secret that was revoked or a right that was taken. So the keyring has the least revision that
// counts of each such client, which rises with each change of it.

func hasRights(c store.Client) bool {
	for _, scope := range c.Scopes {
		if api.IsScope(scope) {
			return true
		}
	}
	return false
}

// checkFloor refuses a record that is older than the keyring says it must be.
func (s *Server) checkFloor(c store.Client) error {
	floor, known := s.cfg.Keys.Records().Floors[c.ID]
	if !known || c.Revision >= floor {
		return nil
	}
	s.log.Error("a client's record is older than it must be: it is refused. Somebody has put it back into the store",
		slog.String("client_id", c.ID), slog.Uint64("revision", uint64(c.Revision)), slog.Uint64("least", uint64(floor)))
	return fmt.Errorf("%w: client %q has revision %d, and at least %d is known", store.ErrUnavailable, c.ID, c.Revision, floor)
}

// raiseFloor notes a change of a client that has, or had, such rights.
func (s *Server) raiseFloor(ctx context.Context, c store.Client) {
	records := s.cfg.Keys.Records()
	if _, known := records.Floors[c.ID]; !records.Sealed || !known && !hasRights(c) {
		return
	}
	if err := s.cfg.Keys.RaiseFloors(ctx, map[string]uint32{c.ID: c.Revision}); err != nil {
		s.log.Warn("noting the revision of a client", slog.String("client_id", c.ID), slog.Any("error", err)) // raiseFloors does it later
	}
}

// raiseFloors does what raiseFloor could not do.
func (s *Server) raiseFloors(ctx context.Context) error {
	records := s.cfg.Keys.Records()
	if !records.Sealed {
		return nil
	}
	floors := map[string]uint32{}
	const page = 500
	for after := ""; ; {
		clients, err := s.store.ListClients(ctx, after, page)
		if err != nil {
			return err
		}
		for _, c := range clients {
			if _, known := records.Floors[c.ID]; known || hasRights(c) {
				floors[c.ID] = c.Revision
			}
		}
		if len(clients) < page {
			break
		}
		after = clients[len(clients)-1].ID
	}
	return s.cfg.Keys.RaiseFloors(ctx, floors)
}
