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

	adminRefused *prometheus.CounterVec

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
	m.adminRefused = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_admin_refused_total",
		Help: "Requests refused at the admin listener: no good token, a token without the scope, for another audience, or without the rights of the client it would change."},
		[]string{"reason"})
	for _, reason := range []string{"token", "scope", "audience", "rights"} {
		m.adminRefused.WithLabelValues(reason)
	}
	reg.MustRegister(m.adminRefused, m.auditLost, m.withheld, m.reloadsFailed, m.unreadable)
	metrics.RegisterPool(reg, pool)
	m.keyring = metrics.NewKeyring(reg, keyring, now)
	return m
}
