package doctor

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"time"

	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/server/admin/api"
	"signet/server/outbound"
)

// lookupTimeout bounds each question for the addresses of an app.
const lookupTimeout = 2 * time.Second

// examineLogoutURIs warns of apps that cannot be informed of logouts, because all addresses of their URIs are in private networks that
// are not allowed. It connects to none.
func (d *doctor) examineLogoutURIs(ctx context.Context, informed []api.ClientSpec, cfg config.Config) {
	if len(informed) == 0 {
		return
	}
	if _, err := install.BackChannel(cfg); err != nil {
		d.check("logout", err, "")
		return
	}
	dialer := install.BackChannelDialer(cfg)
	for _, c := range informed {
		if err := reachable(ctx, dialer, c.BackchannelLogoutURI); err != nil {
			d.note("logout", stateWarning, "the client "+c.ID+" is not informed of logouts at "+c.BackchannelLogoutURI+": "+err.Error())
		}
	}
}

// reachable returns an error where no address of the URI may be called. A name that has no addresses here may have some elsewhere.
func reachable(ctx context.Context, dialer outbound.Dialer, uri string) error {
	at, err := url.Parse(uri)
	if err != nil {
		return nil // registration has refused it
	}
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(at.Hostname()); err == nil {
		addrs = append(addrs, addr)
	} else {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if addrs, err = net.DefaultResolver.LookupNetIP(ctx, "ip", at.Hostname()); err != nil {
			return nil
		}
	}
	var refused error
	for _, addr := range addrs {
		if refused = dialer.CheckAddr(addr); refused == nil {
			return nil
		}
	}
	return refused
}
