// Package metrics registers the gauges of what the server is made of: the keyring, its clock and the pool of password
// hashes. What requests count is registered by the packages that handle them.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"signet/server/password"
)

func gauge(reg prometheus.Registerer, name, help string, value func() float64) {
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
}

// RegisterPool registers the metrics of a pool of password hashes.
func RegisterPool(reg prometheus.Registerer, pool *password.Pool) {
	gauge(reg, "signet_hash_pool_slots", "Passwords that may be hashed at once.", func() float64 { return float64(pool.Stats().Slots) })
	gauge(reg, "signet_hash_pool_running", "Passwords being hashed.", func() float64 { return float64(pool.Stats().Running) })
	gauge(reg, "signet_hash_pool_waiting", "Logins waiting for a slot.", func() float64 { return float64(pool.Stats().Waiting) })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "signet_hash_pool_refused_total",
		Help: "Logins answered 503 because the queue was full or the wait too long."}, func() float64 { return float64(pool.Stats().Refused) }))
}
