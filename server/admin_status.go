package server

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/server/edge"
)

type statusAnswer struct {
	Issuer    string    `json:"issuer"`
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Ready     readiness `json:"ready"`
}

func (s *Server) adminStatus(c *adminRequest) (edge.Response, error) {
	return edge.Response{Body: statusAnswer{s.cfg.Issuer, s.cfg.Version, s.started.UTC(), s.readiness(c.Context())}}, nil
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
