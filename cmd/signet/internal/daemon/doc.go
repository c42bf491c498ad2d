// Package daemon turns a configuration into a running server. Open is where a server is put together: store, seals,
// signing keys, HSM, metrics and package server. `signet serve` and `signet dev` run it.
//
// If a store across the network cannot be reached at the start, the daemon opens its listeners, answers 503, and tries
// again until the store answers. SIGHUP reads the configuration again; a configuration with an error changes nothing.
// SIGTERM drains: the server reports that it is not ready, waits for load balancers, and finishes its requests.
package daemon
