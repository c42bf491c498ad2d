package server

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/server/admin/api"
	"signet/server/edge"
)

func (s *Server) adminStatus(c *adminRequest) (edge.Response, error) {
	return edge.Response{Body: api.Status{Issuer: s.cfg.Issuer, Version: s.cfg.Version, StartedAt: s.started.UTC(), Ready: s.discovery.Readiness(c.Context())}}, nil
}

// adminMetrics is the Prometheus exposition of everything registered.
func (s *Server) adminMetrics(c *adminRequest) (edge.Response, error) {
	return edge.Response{Stream: func(w http.ResponseWriter) error {
		promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{}).ServeHTTP(w, c.Request.Request)
		return nil
	}}, nil
}

// registerProcess adds the numbers of the process and its runtime, unless somebody has.
func (s *Server) registerProcess() {
	for _, collector := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		_ = s.cfg.Registry.Register(collector) // the one error there is says that it is there
	}
}
