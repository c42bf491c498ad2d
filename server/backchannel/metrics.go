package backchannel

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/store"
)

type metrics struct {
	deliveries     *prometheus.CounterVec
	length, oldest prometheus.Gauge
	dropped        prometheus.Gauge
}

// outcomes of deliveries. All are there from the start, so that a rate has a beginning.
var outcomes = []string{"sent", "failed", "refused", "expired", "unneeded"}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_logout_deliveries_total",
			Help: "Logouts of which apps were to be informed, by outcome. One that failed is tried again, and counts each time."}, []string{"outcome"}),
		length: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signet_logout_queue_length", Help: "Logouts of which apps are not informed yet."}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signet_logout_queue_oldest_seconds", Help: "How long ago the oldest of them was; 0: there is none."}),
		dropped: prometheus.NewGauge(prometheus.GaugeOpts{Name: "signet_logout_queue_dropped",
			Help: "Logouts that were dropped for newer ones because the queue was full, since the store was made."}),
	}
	reg.MustRegister(m.deliveries, m.length, m.oldest, m.dropped)
	for _, outcome := range outcomes {
		m.deliveries.WithLabelValues(outcome)
	}
	return m
}

func (m *metrics) count(outcome string) { m.deliveries.WithLabelValues(outcome).Inc() }

func (m *metrics) show(q store.LogoutQueue, now time.Time) {
	m.length.Set(float64(q.Length))
	m.dropped.Set(float64(q.Dropped))
	age := 0.0
	if !q.Oldest.IsZero() {
		age = max(0, now.Sub(q.Oldest).Seconds())
	}
	m.oldest.Set(age)
}
