package edge

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// CallerAddress returns the address that attempts are counted against; it is invalid on a Unix socket.
// X-Forwarded-For counts only as far as it was written by the proxies that the operator named, read from the
// right. It decides nothing else: no URL is ever built from a request.
func (s *Server) CallerAddress(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket
	}
	addr := peer.Addr().Unmap()
	if len(s.cfg.TrustedProxies()) == 0 || !s.TrustedProxy(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		next, ok := forwardedAddress(strings.TrimSpace(hop))
		if !ok {
			return addr
		}
		addr = next
		if !s.TrustedProxy(addr) {
			return addr
		}
	}
	return addr
}

// forwardedAddress reads an address as proxies write it. Some add its port and, if it is IPv6, brackets.
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

// TrustedProxy reports whether the address is that of a proxy that the operator named.
func (s *Server) TrustedProxy(addr netip.Addr) bool {
	return slices.ContainsFunc(s.cfg.TrustedProxies(), func(p netip.Prefix) bool { return p.Contains(addr) })
}

// trusts reports whether the request comes from a trusted proxy or a Unix socket, so that what its headers add is the operator's.
func (s *Server) trusts(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	return err != nil || s.TrustedProxy(peer.Addr().Unmap())
}

// Network returns the network that attempts from an address are counted for: an IPv4 /24 or an IPv6 /64. It is
// the zero Prefix for an invalid address.
func Network(addr netip.Addr) netip.Prefix {
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
