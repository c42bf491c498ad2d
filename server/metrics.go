package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/password"
)

// metrics are the numbers of this package. Names of people, addresses and tokens are never labels.
type metrics struct {
	rotations   *prometheus.CounterVec
	auditLost   prometheus.Counter
	withheld    prometheus.Counter
	underAttack prometheus.Counter
	keys        *keyMetrics

	unreadable prometheus.Counter

	reloadsFailed prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, keyring *keys.Manager, heart *heart, pool *password.Pool, now func() time.Time) *metrics {
	m := &metrics{
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
		reloadsFailed: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_config_reloads_failed_total",
			Help: "Configurations that were read again on SIGHUP and could not be used."}),
	}
	reg.MustRegister(m.rotations, m.auditLost, m.withheld, m.underAttack, m.reloadsFailed, m.unreadable)
	registerPool(reg, pool)
	m.keys = newKeyMetrics(reg, keyring, heart, now)
	registerClock(reg, keyring)
	return m
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
