// Package storemetrics exports what a backend counts as Prometheus metrics.
package storemetrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/store"
	"signet/store/bolt"
	"signet/store/redis"
)

// RoundTrips are the metrics of a store across a network.
type RoundTrips struct {
	latency *prometheus.HistogramVec
	failed  *prometheus.CounterVec
}

// NewRoundTrips registers them.
func NewRoundTrips(reg prometheus.Registerer) *RoundTrips {
	m := &RoundTrips{
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signet_store_seconds",
			Help: "Time of one round trip to Redis, by what was done.", Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}},
			[]string{"operation"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_store_errors_total",
			Help: "Round trips to Redis that failed, so that nothing is known."}, []string{"operation"}),
	}
	reg.MustRegister(m.latency, m.failed)
	return m
}

// Observe records a round trip.
func (m *RoundTrips) Observe(doing string, took time.Duration, err error) {
	operation := strings.ReplaceAll(doing, " ", "_")
	m.latency.WithLabelValues(operation).Observe(took.Seconds())
	if err != nil {
		m.failed.WithLabelValues(operation).Inc()
	}
}

// Register adds the metrics of the backend.
func Register(reg prometheus.Registerer, s store.Store) {
	switch s := s.(type) {
	case *redis.Store:
		registerRedis(reg, s)
	case *bolt.Store:
		reg.MustRegister(boltCollector{s})
	}
}

func registerRedis(reg prometheus.Registerer, r *redis.Store) {
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
	counter("signet_store_late_commands_total", "Commands that reached Redis after their deadline and so changed nothing.",
		func(s redis.Stats) float64 { return float64(s.LateCommands) })
	reg.MustRegister(redisSessions{r})
	gauge("signet_redis_breakers_open", "Redis servers that are answered for with an error at once, after repeated failures.",
		func(s redis.Stats) float64 { return float64(s.BreakersOpen) })
	gauge("signet_redis_hint_age_seconds", "Seconds since a hint that this server sends to itself every 20 s last came back; more than a minute: hints are lost, and changes are noticed at the next poll only.",
		func(s redis.Stats) float64 { return s.HintAge.Seconds() })
	gauge("signet_redis_connections", "Connections to Redis.", func(s redis.Stats) float64 { return float64(s.Pool.TotalConns) })
	gauge("signet_redis_connections_idle", "Connections to Redis that are not in use.", func(s redis.Stats) float64 { return float64(s.Pool.IdleConns) })
	counter("signet_redis_pool_timeouts_total", "Requests that found no free connection to Redis in time.",
		func(s redis.Stats) float64 { return float64(s.Pool.Timeouts) })
}

// redisSessions collects the number of sessions, at the one replica that sweeps them.
type redisSessions struct{ store *redis.Store }

// Describe implements prometheus.Collector.
func (redisSessions) Describe(out chan<- *prometheus.Desc) { out <- storeRecords }

// Collect implements prometheus.Collector.
func (c redisSessions) Collect(out chan<- prometheus.Metric) {
	if stats := c.store.Stats(); stats.Sweeps {
		out <- prometheus.MustNewConstMetric(storeRecords, prometheus.GaugeValue, float64(stats.Sessions), "sessions")
	}
}

// boltCollector reads the statistics once for each scrape.
type boltCollector struct{ store *bolt.Store }

var (
	boltDamaged = prometheus.NewDesc("signet_store_damaged",
		"1 once damage was found in the store's file: restore a backup.", nil, nil)
	boltVerified = prometheus.NewDesc("signet_store_verified",
		"1 once the check of the whole file that follows a start has come to its end.", nil, nil)
	boltBytes = prometheus.NewDesc("signet_store_bytes", "Size of the store's file.", nil, nil)
	boltFree  = prometheus.NewDesc("signet_store_free_bytes",
		"Bytes of the store's file that are free for new records; `signet store compact` gives them back to the disk.", nil, nil)
	storeRecords = prometheus.NewDesc("signet_store_records",
		"Records that were left when the sweep had last gone through all of a kind, such as active sessions; with Redis at the replica that sweeps.", []string{"kind"}, nil)
	boltLag = prometheus.NewDesc("signet_store_sweep_seconds",
		"How long the sweep took to go through all records of a kind: what has run out may wait as long, and a minute, for its deletion.", []string{"kind"}, nil)
)

// Describe implements prometheus.Collector.
func (boltCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{boltDamaged, boltVerified, boltBytes, boltFree, storeRecords, boltLag} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c boltCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.store.Stats()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(boltDamaged, oneIf(stats.Damaged))
	gauge(boltVerified, oneIf(stats.Verified))
	gauge(boltBytes, float64(stats.Bytes))
	gauge(boltFree, float64(stats.FreeBytes))
	for kind, swept := range stats.Swept {
		gauge(storeRecords, float64(swept.Records), kind)
		gauge(boltLag, swept.Took.Seconds(), kind)
	}
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
