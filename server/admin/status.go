package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/edge"
)

// status shows the state of the server.
type status struct {
	issuer, version string
	started         time.Time
	readiness       func(context.Context) api.Readiness
	registry        *prometheus.Registry
	upstream        string
}

// newStatus registers the metrics of the process and its runtime, unless they are registered.
func newStatus(cfg Config) *status {
	for _, collector := range []prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		_ = cfg.Registry.Register(collector) // its only error is that they are
	}
	return &status{cfg.Issuer, cfg.Version, cfg.Started, cfg.Readiness, cfg.Registry, cfg.Upstream}
}

func (h *status) show(r *call.Request) (edge.Response, error) {
	return edge.Response{Body: api.Status{Issuer: h.issuer, Version: h.version, StartedAt: h.started.UTC(), Ready: h.readiness(r.Context()),
		Upstream: h.upstream}}, nil
}

// metrics writes the metrics in the text format of Prometheus.
func (h *status) metrics(r *call.Request) (edge.Response, error) {
	return edge.Response{Stream: func(w http.ResponseWriter) error {
		promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r.Request.Request)
		return nil
	}}, nil
}
