package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/metrics"
	"signet/server/password"
)

// counters are the numbers of this package. Names of people, addresses and tokens are never labels.
type counters struct {
	rotations   *prometheus.CounterVec
	auditLost   prometheus.Counter
	withheld    prometheus.Counter
	underAttack prometheus.Counter
	keyring     *metrics.Keyring
	unreadable  prometheus.Counter

	reloadsFailed prometheus.Counter
}

func newCounters(reg prometheus.Registerer, keyring *keys.Manager, pool *password.Pool, now func() time.Time) *counters {
	m := &counters{
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
	metrics.RegisterPool(reg, pool)
	m.keyring = metrics.NewKeyring(reg, keyring, now)
	return m
}
