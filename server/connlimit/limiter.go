// Package connlimit bounds the connections of a listener and the requests that are under way on them (CWE-400).
package connlimit

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/edge"
)

// Limiter bounds the open connections of one listener (CWE-400). At a limit the connection that has been idle longest
// makes room for a new one, so that idle connections cannot lock all others out. The new one is closed only if none is
// idle. A request that is under way is never cut off. A request that arrives just when its connection makes room is not
// carried out: its response could not be delivered.
//
// A connection is idle while it has no whole request: nothing has arrived yet, a handshake, a header or a body is still
// arriving, or the next request is awaited. It becomes the youngest of the idle ones when a header is complete, and not
// with each byte of a body, so a body that trickles does not stay for long.
//
// If bodies that are still arriving hold more than an eighth of the places, the oldest of those goes first, so that they
// do not displace connections whose handshake or header is on its way.
//
// A request that is under way may wait for a password hash, for the store, or for its caller to read the
// answer. Such requests never hold all places: some are kept for the light ones, which are answered from
// memory: the key set above all, the metadata and health. A request beyond that is answered 503, and nothing
// of it was carried out. A light one does not wait, and its connection may make room at any time.
type Limiter struct {
	log     *slog.Logger
	share   int  // of one network; 0: all
	keep    bool // an eighth of each limit is kept for light requests
	light   func(*http.Request) bool
	proxies func(netip.Addr) bool // whether an address has no share, see Config.Exempt
	shed    *prometheus.CounterVec

	mu       sync.Mutex // guards what follows, and the marks of every limitedConn
	all      group
	networks map[netip.Prefix]*group
	warned   time.Time // when the log last had a line that there is no room
}

// Limits are how many connections of a listener may be open.
type Limits struct {
	Total      int
	PerNetwork int // from one IPv4 /24 or IPv6 /64, loopback and trusted proxies excepted; 0: as Total

	// KeepSome leaves an eighth of each limit to the key set, the metadata and health.
	KeepSome bool
}

// group are the connections that share a limit.
type group struct {
	name  string // as the metric calls it
	limit int
	open  int
	idle  list.List // of *limitedConn, longest idle first
	slow  list.List // those of idle whose body is still arriving, in the same order

	underWay     int // requests
	mostUnderWay int
}

// tcpConn is what net/http uses of a *net.TCPConn: without CloseWrite a client that is still sending
// would lose the answer that refuses it.
type tcpConn interface {
	net.Conn
	CloseWrite() error
}

// place is where a connection is in the lists of a group; nil where it is in none.
type place struct {
	group      *group
	idle, slow *list.Element
}

// limitedConn is a connection that counts until it is closed.
type limitedConn struct {
	tcpConn
	owner     *Limiter
	network   netip.Prefix // the network it counts for; zero: none
	places    []place      // in the groups it counts in, the smallest first; nil once it has left
	receiving bool         // a request's header is complete, and its body may not be
	busy      bool         // a request is under way
}

// Config configures a Limiter. All fields are required.
type Config struct {
	Name     string // of the listener, as metrics have it
	Limits   Limits
	Light    func(*http.Request) bool // whether a request is answered from memory
	Exempt   func(netip.Addr) bool    // whether an address brings other people's connections, and so has no share
	Log      *slog.Logger
	Registry prometheus.Registerer
}

// New returns a Limiter for one listener, and registers its metrics.
func New(cfg Config) *Limiter {
	c := &Limiter{log: cfg.Log, share: cfg.Limits.PerNetwork, keep: cfg.Limits.KeepSome, light: cfg.Light,
		networks: make(map[netip.Prefix]*group), proxies: cfg.Exempt}
	c.all = c.group("all", cfg.Limits.Total)
	c.register(cfg.Registry, cfg.Name)
	return c
}

// Bound returns the listener with its limits. web is to serve it, and reports the states of its connections. TLS goes on
// top of what is returned.
func (c *Limiter) Bound(listener net.Listener, web *http.Server) net.Listener {
	web.ConnState = c.changed
	web.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, connKey{}, connOf(conn))
	}
	web.Handler = c.whenWhole(web.Handler, c.light)
	return &boundListener{listener, c}
}

type connKey struct{}

func (c *Limiter) group(name string, limit int) group {
	kept := 0
	if c.keep {
		kept = limit / 8
	}
	return group{name: name, limit: limit, mostUnderWay: limit - kept}
}

type boundListener struct {
	net.Listener
	connections *Limiter
}

// Accept implements net.Listener.
func (l *boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				l.connections.log.Warn("accepting a connection", slog.Any("error", err))
			}
			return nil, err
		}
		if held := l.connections.admit(conn.(tcpConn)); held != nil {
			return held, nil
		}
		conn.Close()
	}
}

// admit gives the connection a place, or returns nil where there is none. It is idle at first.
func (c *Limiter) admit(conn tcpConn) *limitedConn {
	h := &limitedConn{tcpConn: conn, owner: c}
	c.mu.Lock()
	victim, ok := c.enter(h, peer(conn))
	c.mu.Unlock()
	if victim != nil {
		victim.tcpConn.Close()
	}
	if !ok {
		return nil
	}
	return h
}

// enter needs mu. The connection that leaves for h is returned, and the caller closes it.
func (c *Limiter) enter(h *limitedConn, from netip.Addr) (victim *limitedConn, ok bool) {
	network, places := c.placesFor(from)
	for _, p := range places {
		group := p.group
		if group.open < group.limit {
			continue
		}
		longest := group.next()
		if longest == nil {
			c.shed.WithLabelValues("new", group.name).Inc()
			c.warnFull(group)
			return nil, false
		}
		victim = longest
		c.shed.WithLabelValues(victim.idleKind(), group.name).Inc()
		c.leave(victim)
		break // that made room in every group of the new one: all is one of the victim's
	}
	h.network, h.places = network, places
	if network.IsValid() {
		c.networks[network] = places[0].group
	}
	for _, p := range places {
		p.group.open++
	}
	h.markIdle()
	return victim, true
}

// next returns the connection that makes room next, or nil.
func (c *group) next() *limitedConn {
	first := c.idle.Front()
	if c.slow.Len() > c.limit/8 {
		first = c.slow.Front()
	}
	if first == nil {
		return nil
	}
	return first.Value.(*limitedConn)
}

const warnFullEvery = time.Minute

// warnFull needs mu.
func (c *Limiter) warnFull(full *group) {
	if now := time.Now(); now.Sub(c.warned) >= warnFullEvery {
		c.warned = now
		c.log.Warn("new connections are closed: as many as may be are open, and none is idle", slog.Int("limit", full.limit), slog.String("of", full.name))
	}
}

func (c *Limiter) placesFor(from netip.Addr) (netip.Prefix, []place) {
	if c.share == 0 || c.proxies(from) {
		return netip.Prefix{}, []place{{group: &c.all}}
	}
	network := edge.Network(from)
	neighbours := c.networks[network]
	if neighbours == nil {
		fresh := c.group("network", c.share)
		neighbours = &fresh
	}
	return network, []place{{group: neighbours}, {group: &c.all}}
}

// leave needs mu. A second time it does nothing.
func (c *Limiter) leave(h *limitedConn) {
	h.unmarkIdle()
	h.end()
	for _, p := range h.places {
		p.group.open--
	}
	if h.network.IsValid() && h.places != nil && h.places[0].group.open == 0 {
		delete(c.networks, h.network)
	}
	h.places = nil
}

// markIdle makes the connection the youngest of those that can make room; unmarkIdle takes it out. Both need mu.
func (h *limitedConn) markIdle() {
	for i := range h.places {
		p := &h.places[i]
		moveToBack(&p.group.idle, &p.idle, h)
		if h.receiving {
			moveToBack(&p.group.slow, &p.slow, h)
		} else {
			takeOut(&p.group.slow, &p.slow)
		}
	}
}

func (h *limitedConn) unmarkIdle() {
	for i := range h.places {
		p := &h.places[i]
		takeOut(&p.group.idle, &p.idle)
		takeOut(&p.group.slow, &p.slow)
	}
}

func moveToBack(in *list.List, at **list.Element, h *limitedConn) {
	if *at == nil {
		*at = in.PushBack(h)
		return
	}
	in.MoveToBack(*at)
}

func takeOut(of *list.List, at **list.Element) {
	if *at != nil {
		of.Remove(*at)
		*at = nil
	}
}

// Close gives the place back.
func (h *limitedConn) Close() error {
	h.owner.mu.Lock()
	h.owner.leave(h)
	h.owner.mu.Unlock()
	return h.tcpConn.Close()
}

// changed is http.Server's ConnState.
func (c *Limiter) changed(conn net.Conn, state http.ConnState) {
	h := connOf(conn)
	if h == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	h.receiving = state == http.StateActive
	if state == http.StateActive || state == http.StateIdle {
		h.end()
		h.markIdle()
	}
}

// connOf returns the limitedConn behind a connection of net/http, or nil.
func connOf(conn net.Conn) *limitedConn {
	if encrypted, ok := conn.(*tls.Conn); ok {
		conn = encrypted.NetConn()
	}
	h, _ := conn.(*limitedConn)
	return h
}

func peer(conn net.Conn) netip.Addr {
	addr, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return addr.AddrPort().Addr().Unmap()
}

func (c *Limiter) register(reg prometheus.Registerer, listener string) {
	labels := prometheus.Labels{"listener": listener}
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signet_connections_open", ConstLabels: labels,
			Help: "Open connections of a listener."}, func() float64 { open, _ := c.count(); return float64(open) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signet_connections_idle", ConstLabels: labels,
			Help: "Open connections of a listener without a whole request, which would make room for new ones."}, func() float64 { _, idle := c.count(); return float64(idle) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "signet_connections_limit", ConstLabels: labels,
			Help: "Connections of a listener that may be open at once."}, func() float64 { return float64(c.all.limit) }))
	c.shed = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_connections_shed_total", ConstLabels: labels,
		Help: "Connections closed because a limit was reached: idle ones, and unfinished ones with a body still coming, to make room, new ones where there was neither. Of requests: those refused so that not all places wait for hashes and the store. The limit is that of all, or of one network."},
		[]string{"closed", "limit"})
	reg.MustRegister(c.shed)
	for _, closed := range []string{"idle", "unfinished", "new", "request"} {
		for _, limit := range []string{"all", "network"} {
			c.shed.WithLabelValues(closed, limit)
		}
	}
}

func (c *Limiter) count() (open, idle int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all.open, c.all.idle.Len()
}
