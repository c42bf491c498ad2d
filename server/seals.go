package server

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
		s.log.Error("a record of the store does not verify: it is refused. Another program may have written to the store", slog.Any("error", e))
	})
}
