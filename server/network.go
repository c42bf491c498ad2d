package server

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// callerAddress is the address that attempts are counted against. X-Forwarded-For is believed only
// as far as it was written by the proxies the operator named, read from the right; it never decides
// anything else (no URL is ever built from a request).
func (s *Server) callerAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket
	}
	addr := peer.Addr().Unmap()
	if len(s.settings().TrustedProxies) == 0 || !s.trustedProxy(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return addr
		}
		addr = next.Unmap()
		if !s.trustedProxy(addr) {
			return addr
		}
	}
	return addr
}

func (s *Server) trustedProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(s.settings().TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// network is the neighbourhood that attempts from one place are counted for: an IPv4 /24, an IPv6 /64.
func network(addr netip.Addr) netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
