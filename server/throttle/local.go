package throttle

import (
	"net/netip"
	"sync"
	"time"
)

// localNetworks bounds the memory of a Local.
const localNetworks = 4096

// Local counts what one network makes this replica do, in memory: what it refuses costs the store nothing.
type Local struct {
	mu     sync.Mutex
	since  time.Time // beginning of the minute that counts are of
	counts map[netip.Prefix]int
}

// Full reports whether the network has had its free attempts of this minute; if not, it counts one more.
// Where more networks come than it has room for, those that came too late are not counted here.
func (l *Local) Full(now time.Time, network netip.Prefix, free int) bool {
	if free <= 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.since); age < 0 || age >= networkWindow || l.counts == nil {
		l.since, l.counts = now, map[netip.Prefix]int{}
	}
	n, known := l.counts[network]
	if n >= free {
		return true
	}
	if known || len(l.counts) < localNetworks {
		l.counts[network] = n + 1
	}
	return false
}

// Rest is how long the minute lasts.
func (l *Local) Rest(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(time.Second, l.since.Add(networkWindow).Sub(now))
}
