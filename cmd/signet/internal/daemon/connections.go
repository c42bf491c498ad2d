package daemon

import (
	"log/slog"
	"math"
	"syscall"

	"signet/server/connlimit"
	"signet/server/password"
)

const (
	mostConnections  = 10_000 // without a setting, and with enough files and memory
	adminConnections = 128

	// connectionMemory is the memory of a connection that has sent nearly all of the largest body, doubled for the
	// garbage collector.
	connectionMemory = 256 << 10
)

// publicConnections returns the limits of the public listener.
func (n *Daemon) publicConnections() connlimit.Limits {
	limit, lowered := connectionLimit(n.cfg.MaxConnections, openFiles(), password.MemoryLimit())
	if lowered {
		n.log.Warn("max_connections is more than this process may open files for; raise the limit (LimitNOFILE) or lower the setting",
			slog.Int("max_connections", n.cfg.MaxConnections), slog.Int("used", limit))
	}
	limits := connlimit.Limits{Total: limit, PerNetwork: max(1, limit/2), KeepSome: true}
	if n.cfg.TLS.TerminatedByProxy {
		limits.PerNetwork = 0 // only proxies reach the listener
	}
	return limits
}

// connectionLimit leaves a quarter of the open files for the store, the admin listeners and files. A configured number
// is limited by that alone; otherwise half of the memory is a limit too.
func connectionLimit(wanted int, files, memory uint64) (limit int, lowered bool) {
	fit := int(max(1, min(files/4*3, math.MaxInt32)))
	if wanted > 0 {
		return min(wanted, fit), wanted > fit
	}
	return int(min(mostConnections, uint64(fit), max(64, memory/2/connectionMemory))), false
}

// openFiles returns how many files this process may open. The Go runtime has raised the soft limit to the hard one.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what every system allows
	}
	return uint64(limit.Cur)
}
