package connlimit

import (
	"crypto/tls"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// fakeConn comes from an address of the test's choice and records whether it was closed.
type fakeConn struct {
	tcpConn
	from   netip.Addr
	closed atomic.Bool
}

func (f *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(f.from, 50000))
}

func (f *fakeConn) Close() error {
	f.closed.Store(true)
	return nil
}

func newConnections(limits Limits) *Limiter {
	proxies := netip.MustParsePrefix("198.51.100.0/28")
	return New(Config{Name: "public", Limits: limits, Light: func(r *http.Request) bool { return r.URL.Path == "/healthz" },
		Exempt: func(a netip.Addr) bool { return a.IsLoopback() || proxies.Contains(a) },
		Log:    slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry()})
}

// come opens a connection and has it begin a request, which is whole if busy is set.
func come(c *Limiter, from string, busy bool) (*fakeConn, *limitedConn) {
	f := &fakeConn{from: netip.MustParseAddr(from)}
	h := c.admit(f)
	if h != nil && busy {
		c.changed(h, http.StateActive)
		if c.begin(h) != nil {
			panic("a connection made room that was just let in")
		}
	}
	return f, h
}

// shedOf returns the value of the metric.
func shedOf(t *testing.T, c *Limiter, closed, limit string) int {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(c.shed)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		labels := map[string]string{}
		for _, l := range m.GetLabel() {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["closed"] == closed && labels["limit"] == limit {
			return int(m.GetCounter().GetValue())
		}
	}
	return -1
}

// At the limit the connection goes that has been idle longest, whatever came first.
func TestTheLongestIdleConnectionMakesRoom(t *testing.T) {
	c := newConnections(Limits{Total: 3})
	first, h1 := come(c, "192.0.2.1", true)
	second, _ := come(c, "192.0.2.2", false)
	third, _ := come(c, "192.0.2.3", false)
	c.changed(h1, http.StateIdle) // so second has been idle longer than first

	if _, h := come(c, "192.0.2.4", false); h == nil || !second.closed.Load() || first.closed.Load() || third.closed.Load() {
		t.Errorf("fourth: admitted %v; closed %v, %v, %v, want the second to have made room",
			h != nil, first.closed.Load(), second.closed.Load(), third.closed.Load())
	}
	if _, h := come(c, "192.0.2.5", false); h == nil || !third.closed.Load() || first.closed.Load() {
		t.Errorf("fifth: admitted %v; want the third to have made room", h != nil)
	}
	if got, _ := c.count(); got != 3 {
		t.Errorf("got %d open, want 3", got)
	}
	if got := shedOf(t, c, "idle", "all"); got != 2 {
		t.Errorf("the metric has %d, want 2", got)
	}
}

// A request that is under way is not cut off: where all are, the new one is turned away.
func TestBusyConnectionsStay(t *testing.T) {
	c := newConnections(Limits{Total: 2})
	one, h := come(c, "192.0.2.1", true)
	two, _ := come(c, "192.0.2.2", true)
	if _, h := come(c, "192.0.2.3", false); h != nil || one.closed.Load() || two.closed.Load() {
		t.Error("with two requests under way: the third connection was let in, or one of the two closed")
	}
	if got := shedOf(t, c, "new", "all"); got != 1 {
		t.Errorf("the metric has %d, want 1", got)
	}
	h.Close()
	h.Close() // as http.Server may, after a connection has made room
	if _, h := come(c, "192.0.2.3", false); h == nil {
		t.Error("one has gone, and still there is no room")
	}
	if got, _ := c.count(); got != 2 {
		t.Errorf("got %d open, want 2", got)
	}
}

// A request that has come when its connection makes room already is not carried out: its answer would
// be lost, and a refresh token used up.
func TestNoRequestIsCarriedOutForNobody(t *testing.T) {
	c := newConnections(Limits{Total: 1})
	asked := 0
	web := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ })}
	c.Bound(nil, web)
	ask := func(conn net.Conn) (aborted any) {
		defer func() { aborted = recover() }()
		web.ConnState(conn, http.StateActive)
		r := httptest.NewRequest("POST", "/token", nil)
		web.Handler.ServeHTTP(httptest.NewRecorder(), r.WithContext(web.ConnContext(r.Context(), conn)))
		return nil
	}
	_, first := come(c, "192.0.2.1", false)
	_, second := come(c, "192.0.2.2", false)
	if aborted := ask(first); aborted != http.ErrAbortHandler || asked != 0 {
		t.Errorf("the connection had made room: got %v, %d requests carried out", aborted, asked)
	}
	for _, conn := range []net.Conn{second, tls.Server(second, nil), &fakeConn{}} {
		if aborted := ask(conn); aborted != nil {
			t.Errorf("%T: got %v", conn, aborted)
		}
	}
	if asked != 3 {
		t.Errorf("%d requests were carried out, want 3", asked)
	}
}

// One network has its share, and makes room for its own. Others do not suffer for it.
func TestANetworkHasItsShare(t *testing.T) {
	for _, row := range []struct{ name, one, other string }{
		{"IPv4 /24", "192.0.2.1", "192.0.3.1"},
		{"IPv6 /64", "2001:db8:0:1::1", "2001:db8:0:2::1"},
		{"IPv4 in IPv6", "::ffff:192.0.2.1", "::ffff:192.0.3.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newConnections(Limits{Total: 6, PerNetwork: 2})
			neighbour := netip.MustParseAddr(row.one).Next().String()
			other, _ := come(c, row.other, false) // idle longer than all that follow
			idle, _ := come(c, row.one, false)
			come(c, neighbour, true)
			if _, h := come(c, row.one, true); h == nil || !idle.closed.Load() || other.closed.Load() {
				t.Errorf("beyond the share: admitted %v, closed its own %v and another's %v", h != nil, idle.closed.Load(), other.closed.Load())
			}
			if _, h := come(c, neighbour, false); h != nil {
				t.Error("beyond the share, and none of its own idle: let in")
			}
			if _, h := come(c, row.other, false); h == nil || other.closed.Load() {
				t.Error("another network suffered for it")
			}
			if shedOf(t, c, "idle", "network") != 1 || shedOf(t, c, "new", "network") != 1 {
				t.Error("the metric does not say that a network's share was reached, once for each kind")
			}
		})
	}
}

// Whoever brings other people's connections has no share.
func TestProxiesHaveNoShare(t *testing.T) {
	for _, from := range []string{"127.0.0.1", "::1", "198.51.100.7"} {
		c := newConnections(Limits{Total: 6, PerNetwork: 2})
		for i := range 6 {
			if _, h := come(c, from, true); h == nil {
				t.Errorf("%s: connection %d was turned away", from, i+1)
			}
		}
	}
	c := newConnections(Limits{Total: 6, PerNetwork: 2})
	for range 2 {
		come(c, "198.51.100.99", true)
	}
	if _, h := come(c, "198.51.100.99", true); h != nil {
		t.Error("an address beside the trusted ones has no share either")
	}
}

// Whatever happens at once, the numbers add up, and nothing is left of those that have gone.
func TestConnectionsAddUp(t *testing.T) {
	c := newConnections(Limits{Total: 20, PerNetwork: 8})
	networks := []string{"192.0.2.1", "192.0.3.1", "2001:db8::1", "127.0.0.1"}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 500 {
				_, h := come(c, networks[rand.IntN(len(networks))], false)
				if open, _ := c.count(); open > 20 {
					t.Errorf("%d open, want 20 at most", open)
				}
				if h == nil {
					continue
				}
				c.changed(h, http.StateIdle)
				c.changed(h, http.StateActive)
				_ = c.begin(h)
				if rand.IntN(2) == 0 {
					c.changed(h, http.StateIdle)
				}
				h.Close()
			}
		})
	}
	all.Wait()
	if open, idle := c.count(); open != 0 || idle != 0 || len(c.networks) != 0 || c.all.slow.Len() != 0 || c.all.underWay != 0 {
		t.Errorf("all are closed: got %d open, %d idle, %d networks, %d with a body arriving, %d under way", open, idle, len(c.networks), c.all.slow.Len(), c.all.underWay)
	}
}
