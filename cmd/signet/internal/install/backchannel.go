package install

import (
	"net/netip"
	"net/url"

	"signet/config"
	"signet/server/backchannel"
	"signet/server/outbound"
)

// BackChannel returns the settings with which apps are informed of logouts. It reads the file that the configuration names, and calls
// nothing.
func BackChannel(cfg config.Config) (backchannel.Settings, error) {
	b := cfg.BackChannelLogout
	settings, err := clientTLS("backchannel_logout", b.CA, "", "", "")
	if err != nil {
		return backchannel.Settings{}, err
	}
	return backchannel.Settings{HTTP: BackChannelDialer(cfg).Client(settings), Timeout: b.Timeout, Concurrency: b.Concurrency, GiveUp: b.GiveUp}, nil
}

// BackChannelDialer connects to the apps. Those of a developer are on the machine of the server, as its issuer is.
func BackChannelDialer(cfg config.Config) outbound.Dialer {
	d := outbound.Dialer{Networks: cfg.BackChannelLogout.Networks, Setting: "backchannel_logout.networks"}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return d
	}
	host := issuer.Hostname()
	if addr, err := netip.ParseAddr(host); host == "localhost" || err == nil && addr.Unmap().IsLoopback() {
		d.Networks = append(namedByHost("localhost"), d.Networks...)
	}
	return d
}
