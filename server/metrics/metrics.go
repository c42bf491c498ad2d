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

func counter(reg prometheus.Registerer, name, help string, labels prometheus.Labels, value func() float64) {
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels}, value))
}

// RegisterNames registers how many names several users have.
func RegisterNames(reg prometheus.Registerer, collisions func() int) {
	gauge(reg, "signet_username_collisions", "Names that several users have in different spellings, from an earlier version.",
		func() float64 { return float64(collisions()) })
}

// RegisterPool registers the metrics of a pool of password hashes.
func RegisterPool(reg prometheus.Registerer, pool *password.Pool) {
	gauge(reg, "signet_hash_pool_slots", "Passwords that may be hashed at once.", func() float64 { return float64(pool.Stats().Slots) })
	gauge(reg, "signet_hash_pool_running", "Passwords being hashed.", func() float64 { return float64(pool.Stats().Running) })
	gauge(reg, "signet_hash_pool_waiting", "Logins waiting for a slot.", func() float64 { return float64(pool.Stats().Waiting) })
	counter(reg, "signet_hash_pool_refused_total", "Logins answered 503 because the queue was full or the wait too long.", nil,
		func() float64 { return float64(pool.Stats().Refused) })
	gauge(reg, "signet_hash_pool_fell_back", "1 while passwords are hashed in the server because their process does not run or does not answer.",
		func() float64 { return map[bool]float64{true: 1}[pool.FellBack()] })
	const name, help = "signet_hash_pool_hashes_total", "Passwords hashed, by the process that did it."
	counter(reg, name, help, prometheus.Labels{"process": "server"}, func() float64 { here, _ := pool.Hashed(); return float64(here) })
	counter(reg, name, help, prometheus.Labels{"process": "worker"}, func() float64 { _, there := pool.Hashed(); return float64(there) })
}
