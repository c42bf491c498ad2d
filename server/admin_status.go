package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/server/admin/api"
)

func (s *Server) adminStatus(c *call) (reply, error) {
	return reply{body: api.Status{Issuer: s.cfg.Issuer, Version: s.cfg.Version, StartedAt: s.started.UTC(), Ready: api.Readiness(s.readiness(c))}}, nil
}

// adminMetrics is the Prometheus exposition of everything registered.
func (s *Server) adminMetrics(c *call) (reply, error) {
	return reply{stream: func(w http.ResponseWriter) error {
		promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, c.Request)
		return nil
	}}, nil
}

// registerProcess adds the numbers of the process and its runtime, unless somebody has.
func (s *Server) registerProcess() {
	for _, collector := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		_ = s.cfg.Registry.Register(collector) // the one error there is says that it is there
	}
}
