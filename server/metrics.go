package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/password"
)

// metrics are the numbers of this package. Names of people, addresses and tokens are never labels.
type metrics struct {
	requests  *prometheus.CounterVec
	latency   *prometheus.HistogramVec
	rotations *prometheus.CounterVec
	auditLost prometheus.Counter

	reloadsFailed prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, keyring *keys.Manager, pool *password.Pool, now func() time.Time) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_requests_total",
			Help: "Requests answered, by endpoint, grant type and outcome (ok, or the error code)."}, []string{"endpoint", "grant_type", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signet_request_seconds",
			Help: "Time from request to answer.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}},
			[]string{"endpoint", "grant_type"}),
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_refresh_outcomes_total",
			Help: "What presented refresh tokens turned out to be: rotated, replayed, reuse, healed, revoked, gone."}, []string{"outcome"}),
		auditLost: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_lost_total",
			Help: "Audit events that are in the log but could not be written to the store's audit trail."}),
		reloadsFailed: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_config_reloads_failed_total",
			Help: "Configurations that were read again on SIGHUP and could not be used."}),
	}
	reg.MustRegister(m.requests, m.latency, m.rotations, m.auditLost, m.reloadsFailed)
	registerPool(reg, pool)
	registerKeyring(reg, keyring, now)
	registerClock(reg, keyring)
	return m
}

func (m *metrics) observe(endpoint, grant, outcome string, took time.Duration) {
	m.requests.WithLabelValues(endpoint, grant, outcome).Inc()
	m.latency.WithLabelValues(endpoint, grant).Observe(took.Seconds())
}

func gauge(reg prometheus.Registerer, name, help string, value func() float64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

func registerPool(reg prometheus.Registerer, pool *password.Pool) {
	gauge(reg, "signet_hash_pool_slots", "Passwords that may be hashed at once.", func() float64 { return float64(pool.Stats().Slots) })
	gauge(reg, "signet_hash_pool_running", "Passwords being hashed.", func() float64 { return float64(pool.Stats().Running) })
	gauge(reg, "signet_hash_pool_waiting", "Logins waiting for a slot.", func() float64 { return float64(pool.Stats().Waiting) })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signet_hash_pool_refused_total",
		Help: "Logins answered 503 because the queue was full or the wait too long."}, func() float64 { return float64(pool.Stats().Refused) }))
}

func registerKeyring(reg prometheus.Registerer, keyring *keys.Manager, now func() time.Time) {
	gauge(reg, "signet_keyring_version", "Version of the keyring held.", func() float64 { return float64(keyring.Version()) })
	gauge(reg, "signet_keyring_staleness_seconds", "Seconds since the keyring was last read.",
		func() float64 { return now().Sub(keyring.ReadAt()).Seconds() })
	gauge(reg, "signet_signing_key_age_seconds", "Seconds since the primary algorithm's key began to sign.", func() float64 {
		return sinceActive(keyring, now())
	})
	gauge(reg, "signet_key_next_step_seconds", "Seconds until the next step of any key is due.", func() float64 {
		return untilNextStep(keyring, now())
	})
}

func sinceActive(keyring *keys.Manager, now time.Time) float64 {
	for _, key := range keyring.Keys() {
		if key.State == keys.Active {
			return now.Sub(key.ActivateAt).Seconds()
		}
	}
	return 0
}

func untilNextStep(keyring *keys.Manager, now time.Time) float64 {
	var next time.Time
	for _, key := range keyring.Keys() {
		if at := key.NextAt; !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return 0
	}
	return next.Sub(now).Seconds()
}
