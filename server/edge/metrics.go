package edge

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the numbers of every request. Names of people, addresses and tokens are never labels.
type metrics struct {
	requests      *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	linesWithheld prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_requests_total",
			Help: "Requests answered, by endpoint, grant type and outcome (ok, or the error code)."}, []string{"endpoint", "grant_type", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signet_request_seconds",
			Help: "Time from request to answer.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}},
			[]string{"endpoint", "grant_type"}),
		linesWithheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_log_lines_withheld_total",
			Help: "Lines about refused requests that the log has as a part of a count only: beyond 100 a minute of one kind from one network."}),
	}
	reg.MustRegister(m.requests, m.latency, m.linesWithheld)
	return m
}

func (m *metrics) observe(endpoint, grant, outcome string, took time.Duration) {
	m.requests.WithLabelValues(endpoint, grant, outcome).Inc()
	m.latency.WithLabelValues(endpoint, grant).Observe(took.Seconds())
}
