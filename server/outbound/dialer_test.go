package outbound_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"signet/server/outbound"
)

// TestPrivateNetworks: the address that a name leads to is checked, in whatever form it hides a private one.
func TestPrivateNetworks(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	direct, err := net.DialTimeout("tcp", net.JoinHostPort("localhost", port), 5*time.Second)
	if err != nil {
		t.Fatalf("the listener cannot be reached at all: %v", err)
	}
	direct.Close()
	dial := func(host string, networks ...string) error {
		var d outbound.Dialer
		for _, n := range networks {
			d.Networks = append(d.Networks, netip.MustParsePrefix(n))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, host := range []string{"localhost", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "192.0.0.1", "198.18.0.1", "240.0.0.1", "255.255.255.255", "224.0.0.1", "fc00::1", "fe80::1", "fec0::1", "ff02::1",
		"64:ff9b::a00:1", "2002:a00:1::1", "::10.0.0.1", "2001:db8::1"} {
		if err := dial(host); !errors.Is(err, outbound.ErrNetwork) {
			t.Errorf("%s: got %v, want %v", host, err, outbound.ErrNetwork)
		}
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::ffff:127.0.0.1"} {
		if err := dial(host, "127.0.0.0/8", "::1/128"); errors.Is(err, outbound.ErrNetwork) {
			t.Errorf("%s, which is named: got %v", host, err)
		}
	}
	if err := dial("127.0.0.1", "10.0.0.0/8"); !errors.Is(err, outbound.ErrNetwork) {
		t.Errorf("another network is named: got %v", err)
	}
}
