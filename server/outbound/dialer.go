package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// Dialer connects to other systems, and to no address of a private network unless that is named. It checks the address
// that is dialled and not the name, which can lead anywhere from one moment to the next (DNS rebinding).
type Dialer struct {
	// Networks are those that may be dialled besides the public Internet.
	Networks []netip.Prefix
	// Setting is where an operator names them, for errors.
	Setting string
}

// ErrNetwork: the address is in a private network that is not named.
var ErrNetwork = errors.New("the address is in a private network")

// DialContext connects as net.Dialer does.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{KeepAlive: 30 * time.Second, ControlContext: func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
		return d.check(resolved)
	}}
	return dialer.DialContext(ctx, network, address)
}

// check takes the resolved address, host and port.
func (d Dialer) check(resolved string) error {
	at, err := netip.ParseAddrPort(resolved)
	if err != nil {
		return fmt.Errorf("%q is not an address: %w", resolved, ErrNetwork)
	}
	return d.CheckAddr(at.Addr())
}

// CheckAddr returns an error that wraps ErrNetwork for an address that is not dialled.
func (d Dialer) CheckAddr(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if public(addr) || slices.ContainsFunc(d.Networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return nil
	}
	return fmt.Errorf("%s: %w; name that network in %s if it is meant", addr, ErrNetwork, d.Setting)
}

// special are the blocks that are not of the public Internet (RFC 6890 and IANA's registries of special-purpose
// addresses), besides those that netip recognises. The last three carry IPv4 addresses inside, which could be private.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2002::/16"),
}

func public(addr netip.Addr) bool {
	return addr.IsGlobalUnicast() && !addr.IsPrivate() && !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(addr) })
}
