package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/password"
)

// metrics are the numbers of this package. Names of people, addresses and tokens are never labels.
type metrics struct {
	requests      *prometheus.CounterVec
	latency       *prometheus.HistogramVec
	rotations     *prometheus.CounterVec
	auditLost     prometheus.Counter
	withheld      prometheus.Counter
	linesWithheld prometheus.Counter
	underAttack   prometheus.Counter
	keys          *keyMetrics

	unreadable prometheus.Counter

	adminRefused *prometheus.CounterVec

	reloadsFailed prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, keyring *keys.Manager, heart *heart, pool *password.Pool, now func() time.Time) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_requests_total",
			Help: "Requests answered, by endpoint, grant type and outcome (ok, or the error code)."}, []string{"endpoint", "grant_type", "outcome"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "signet_request_seconds",
			Help: "Time from request to answer.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}},
			[]string{"endpoint", "grant_type"}),
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_refresh_outcomes_total",
			Help: "What presented refresh tokens turned out to be: rotated, replayed, reuse, healed, ahead, revoked, gone."}, []string{"outcome"}),
		auditLost: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_lost_total",
			Help: "Audit events that are in the log but could not be written to the store's audit trail."}),
		underAttack: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_accounts_under_attack_total",
			Help: "Times that the failed logins of one account from new networks reached their limit."}),
		withheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_withheld_total",
			Help: "Audit events that the trail has as a part of a count only: what callers can repeat, beyond some a minute."}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_unreadable_tokens_total",
			Help: "Presented access tokens that were signed here and whose claims cannot be read. They count as inactive."}),
		linesWithheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_log_lines_withheld_total",
			Help: "Lines about refused requests that the log has as a part of a count only: beyond 100 a minute of one kind from one network."}),
		reloadsFailed: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_config_reloads_failed_total",
			Help: "Configurations that were read again on SIGHUP and could not be used."}),
	}
	m.adminRefused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_admin_refused_total",
		Help: "Requests refused at the admin listener: no good token, a token without the scope, for another audience, or without the rights of the client it would change."},
		[]string{"reason"})
	for _, reason := range []string{"token", "scope", "audience", "rights"} {
		m.adminRefused.WithLabelValues(reason)
	}
	reg.MustRegister(m.adminRefused, m.requests, m.latency, m.rotations, m.auditLost, m.withheld, m.underAttack, m.linesWithheld, m.reloadsFailed, m.unreadable)
	registerPool(reg, pool)
	m.keys = newKeyMetrics(reg, keyring, heart, now)
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
