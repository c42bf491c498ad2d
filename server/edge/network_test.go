package edge

import (
	"net/http"
	"net/netip"
	"testing"
)

func trusting(proxies ...string) *Server {
	var list []netip.Prefix
	for _, p := range proxies {
		list = append(list, netip.MustParsePrefix(p))
	}
	return New(Config{TrustedProxies: func() []netip.Prefix { return list }})
}

// Who is counted is who the trusted proxies say, in each of the forms that they write it in.
func TestCallerAddress(t *testing.T) {
	s := trusting("10.0.0.0/24", "fd00::/64")
	const proxy = "10.0.0.1:4000"
	for _, c := range []struct {
		peer, forwarded, want string
	}{
		{"192.0.2.9:4000", "1.2.3.4", "192.0.2.9"}, // no proxy: whatever it writes
		{proxy, "", "10.0.0.1"},
		{proxy, "1.2.3.4", "1.2.3.4"},
		{proxy, "1.2.3.4:5555", "1.2.3.4"},
		{proxy, "::ffff:1.2.3.4", "1.2.3.4"},
		{proxy, "[::ffff:1.2.3.4]:5555", "1.2.3.4"},
		{proxy, "2001:db8::1", "2001:db8::1"},
		{proxy, "[2001:db8::1]", "2001:db8::1"},
		{proxy, "[2001:db8::1]:5555", "2001:db8::1"},
		{proxy, "2001:db8::1:5555", "2001:db8::1:5555"}, // an address as it stands
		{proxy, "6.6.6.6, 1.2.3.4:5555", "1.2.3.4"},
		{proxy, "6.6.6.6, 1.2.3.4:5555, 10.0.0.7:80", "1.2.3.4"},
		{proxy, "6.6.6.6, [2001:db8::1]:5555, [fd00::7]:80,10.0.0.8", "2001:db8::1"},
		{proxy, "10.0.0.9:1, 10.0.0.8:2", "10.0.0.9"},
		// What is not understood ends at the proxy that wrote it.
		{proxy, "1.2.3.4, unknown", "10.0.0.1"},
		{proxy, "1.2.3.4, unknown, 10.0.0.7:80", "10.0.0.7"},
		{proxy, "1.2.3.4:", "10.0.0.1"},
		{proxy, "1.2.3.4:65536", "10.0.0.1"},
		{proxy, "1.2.3.4:5:6", "10.0.0.1"},
		{proxy, "[1.2.3.4]", "10.0.0.1"},
		{proxy, "[2001:db8::1", "10.0.0.1"},
		{proxy, "2001:db8::1]", "10.0.0.1"},
		{proxy, "[[2001:db8::1]]", "10.0.0.1"},
		{proxy, "[]", "10.0.0.1"},
		{"@", "1.2.3.4", "invalid IP"}, // a Unix socket
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": {c.forwarded}}}
		if got := s.CallerAddress(r).String(); got != c.want {
			t.Errorf("%s forwards %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

// A list may be spread over several fields; the last one is the nearest.
func TestCallerAddressInSeveralFields(t *testing.T) {
	s := trusting("10.0.0.1/32")
	r := &http.Request{RemoteAddr: "10.0.0.1:4000", Header: http.Header{"X-Forwarded-For": {"6.6.6.6", "1.2.3.4:5555"}}}
	if got := s.CallerAddress(r).String(); got != "1.2.3.4" {
		t.Errorf("got %s, want 1.2.3.4", got)
	}
}
