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
	auditLost  prometheus.Counter
	withheld   prometheus.Counter
	keyring    *metrics.Keyring
	unreadable prometheus.Counter

	reloadsFailed prometheus.Counter
}

func newCounters(reg prometheus.Registerer, keyring *keys.Manager, pool *password.Pool, now func() time.Time) *counters {
	m := &counters{
		auditLost: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_lost_total",
			Help: "Audit events that are in the log but could not be written to the store's audit trail."}),
		withheld: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_audit_events_withheld_total",
			Help: "Audit events that the trail has as a part of a count only: what callers can repeat, beyond some a minute."}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_unreadable_tokens_total",
			Help: "Presented access tokens that were signed here and whose claims cannot be read. They count as inactive."}),
		reloadsFailed: prometheus.NewCounter(prometheus.CounterOpts{Name: "signet_config_reloads_failed_total",
			Help: "Configurations that were read again on SIGHUP and could not be used."}),
	}
	reg.MustRegister(m.auditLost, m.withheld, m.reloadsFailed, m.unreadable)
	metrics.RegisterPool(reg, pool)
	m.keyring = metrics.NewKeyring(reg, keyring, now)
	return m
}
