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
		next, ok := forwardedAddress(strings.TrimSpace(hop))
		if !ok {
			return addr
		}
		addr = next
		if !s.trustedProxy(addr) {
			return addr
		}
	}
	return addr
}

// forwardedAddress reads what a proxy wrote: an address, which with some of them has its port behind it
// and, if it is IPv6, brackets around it.
func forwardedAddress(hop string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(hop); err == nil {
		return addr.Unmap(), true
	}
	if strings.HasSuffix(hop, "]") {
		hop += ":0"
	}
	withPort, err := netip.ParseAddrPort(hop)
	return withPort.Addr().Unmap(), err == nil
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
