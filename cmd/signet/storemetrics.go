package main

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/store"
	"signet/store/redis"
)

// storeMetrics are the numbers of a store across a network.
type storeMetrics struct {
	latency *prometheus.HistogramVec
	failed  *prometheus.CounterVec
}

func newStoreMetrics(reg prometheus.Registerer) *storeMetrics {
	m := &storeMetrics{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signet_store_seconds",
			Help: "Time of one round trip to Redis, by what was done.", Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}},
			[]string{"operation"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_store_errors_total",
			Help: "Round trips to Redis that failed, so that nothing is known."}, []string{"operation"}),
	}
	reg.MustRegister(m.latency, m.failed)
	return m
}

// observe is told of every round trip.
func (m *storeMetrics) observe(doing string, took time.Duration, err error) {
	operation := strings.ReplaceAll(doing, " ", "_")
	m.latency.WithLabelValues(operation).Observe(took.Seconds())
	if err != nil {
		m.failed.WithLabelValues(operation).Inc()
	}
}

// registerRedis adds what the store counts by itself.
func registerRedis(reg prometheus.Registerer, s store.Store) {
	r, ok := s.(*redis.Store)
	if !ok {
		return
	}
	counter := func(name, help string, value func(redis.Stats) float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return value(r.Stats()) }))
	}
	gauge := func(name, help string, value func(redis.Stats) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(r.Stats()) }))
	}
	counter("signet_redis_master_changes_total", "Redis masters that took over or were restarted while this process ran.",
		func(s redis.Stats) float64 { return float64(s.MasterChanges) })
	counter("signet_redis_revocations_reapplied_total", "Revocations that were done again because a master had changed.",
		func(s redis.Stats) float64 { return float64(s.Reapplied) })
	gauge("signet_redis_breakers_open", "Redis servers that are answered for with an error at once, after repeated failures.",
		func(s redis.Stats) float64 { return float64(s.BreakersOpen) })
	gauge("signet_redis_connections", "Connections to Redis.", func(s redis.Stats) float64 { return float64(s.Pool.TotalConns) })
	gauge("signet_redis_connections_idle", "Connections to Redis that are not in use.", func(s redis.Stats) float64 { return float64(s.Pool.IdleConns) })
	counter("signet_redis_pool_timeouts_total", "Requests that found no free connection to Redis in time.",
		func(s redis.Stats) float64 { return float64(s.Pool.Timeouts) })
}
