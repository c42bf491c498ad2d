package syntax

import (
	"net/netip"
)

// Loopback reports whether a host is this machine for a program that connects to it or listens on it: localhost or a
// loopback address. A name below localhost does not count, because a resolver may look it up elsewhere.
func Loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
