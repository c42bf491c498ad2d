package network

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy is the network between a client and a server: it forwards TCP until a test breaks it or leads it
// to another server.
// Faults last until Heal, may be combined, and apply to connections that are already open too. All
// methods may be called from any goroutine.
type Proxy struct {
	t     testing.TB
	port  int
	links sync.WaitGroup

	mu       sync.Mutex
	upstream string             // guarded by mu
	listener net.Listener       // guarded by mu; nil while cut
	open     map[*link]struct{} // guarded by mu
	faults   faults             // guarded by mu
	counts   ProxyCounts        // guarded by mu
}

// ProxyCounts are how often something happened, so that a test can prove that it did.
type ProxyCounts struct {
	Connections int // accepted
	Cut         int // connections closed by Cut and LeadTo; what is refused is not seen here
	Held        int // connections and pieces of data that Hold kept back
	Delayed     int // replies that came late
	Lost        int // replies that were dropped, with their connection
	Shifted     int // answers about the time that ShiftClock has changed
}

// faults is a snapshot: what it holds is never changed.
type faults struct {
	delay time.Duration
	held  chan struct{} // nil unless held; closed when that ends
	lose  func(request []byte) bool
	shift time.Duration
}

// link is a client's connection and ours to the server.
type link struct {
	client, server net.Conn
	closed         chan struct{}
	once           sync.Once

	mu     sync.Mutex
	losing bool // guarded by mu; a request was forwarded whose reply must be lost
}

// NewProxy starts a proxy in front of a server's address. It is closed when the test ends.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, upstream: upstream, port: FreePort(t), open: map[*link]struct{}{}}
	p.mu.Lock()
	err := p.listen()
	p.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Cut()
		p.links.Wait()
	})
	return p
}

// Addr returns where clients connect. It stays the same when the proxy is cut and healed.
func (p *Proxy) Addr() string { return Loopback(p.port) }

// Counts returns what has happened so far.
func (p *Proxy) Counts() ProxyCounts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Cut closes all connections and refuses new ones.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
	p.closeLinks()
}

// closeLinks needs mu.
func (p *Proxy) closeLinks() {
	for l := range p.open {
		p.counts.Cut++
		l.close()
		delete(p.open, l)
	}
}

// LeadTo closes all connections, and new ones lead to another server: what a client sees of an
// address that moves to the server which has taken over.
func (p *Proxy) LeadTo(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = upstream
	p.closeLinks()
}

// Hold keeps connections open, and accepts new ones, but nothing gets through: what a client sees of
// a host that has vanished. When it ends, what was kept back is delivered late.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.held == nil {
		p.faults.held = make(chan struct{})
	}
}

// Delay holds back each reply for d.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.delay = d
}

// LoseReplies forwards requests, but drops the replies and closes the connection: the command has
// happened and its client has no reply. With names of commands, only their replies are lost; a client can then
// still connect, which takes commands too. Names are looked for in each piece of data as it arrives,
// so they are not seen inside TLS, nor when a long pipeline happens to be torn within one.
func (p *Proxy) LoseReplies(commands ...string) {
	lose := func([]byte) bool { return true }
	if len(commands) > 0 {
		names := make([]string, len(commands))
		for i, name := range commands {
			names[i] = regexp.QuoteMeta(name)
		}
		// The first word of a command, as it is sent: *3 $7 EVALSHA.
		lose = regexp.MustCompile(`(?i)\*\d+\r\n\$\d+\r\n(` + strings.Join(names, "|") + `)\r\n`).Match
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.lose = lose
}

// Heal ends all faults. Connections that were cut or lost stay closed.
func (p *Proxy) Heal() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults.held != nil {
		close(p.faults.held)
	}
	p.faults = faults{}
	if p.listener == nil {
		if err := p.listen(); err != nil {
			p.t.Errorf("the proxy cannot listen again: %v", err)
		}
	}
}

// listen needs mu.
func (p *Proxy) listen() error {
	l, err := net.Listen("tcp", p.Addr())
	if err != nil {
		return err
	}
	p.listener = l
	p.links.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed by Cut
			}
			p.accept(l, client)
		}
	})
	return nil
}

// accept starts a link, unless the listener was closed meanwhile.
func (p *Proxy) accept(from net.Listener, client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != from {
		client.Close()
		return
	}
	p.counts.Connections++
	l := &link{client: client, closed: make(chan struct{})}
	p.open[l] = struct{}{}
	p.links.Go(func() { p.serve(l) })
}

// serve connects to the server and forwards both ways until either side is done.
func (p *Proxy) serve(l *link) {
	defer func() {
		l.close()
		p.mu.Lock()
		delete(p.open, l)
		p.mu.Unlock()
	}()
	if !p.await(l) {
		return
	}
	p.mu.Lock()
	upstream := p.upstream
	p.mu.Unlock()
	server, err := net.Dial("tcp", upstream)
	if err != nil || !l.connected(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.forward(l, server, l.client, p.request) })
	both.Go(func() { p.forward(l, l.client, server, p.reply) })
	both.Wait()
}

// forward copies until from ends or pass returns false. An end is passed on as an end: closing everything
// at once could take back a request that is on its way.
func (p *Proxy) forward(l *link, to, from net.Conn, pass func(*link, []byte) bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !p.await(l) || !pass(l, buffer[:n]) {
				l.close()
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				l.close()
				return
			}
		}
		if errors.Is(err, io.EOF) {
			_ = to.(*net.TCPConn).CloseWrite()
			return
		}
		if err != nil {
			l.close()
			return
		}
	}
}

// await returns when nothing is held, or false when the link is closed before that.
func (p *Proxy) await(l *link) bool {
	for {
		p.mu.Lock()
		held := p.faults.held
		if held != nil {
			p.counts.Held++
		}
		p.mu.Unlock()
		if held == nil {
			return true
		}
		select {
		case <-held:
		case <-l.closed:
			return false
		}
	}
}

// request notes whether the reply to what goes upstream has to be lost.
func (p *Proxy) request(l *link, data []byte) bool {
	p.mu.Lock()
	lose := p.faults.lose
	p.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losing = lose != nil && (l.losing || lose(data))
	return true
}

// reply reports whether what comes from the server may go on, and changes what must not go on as it is.
func (p *Proxy) reply(l *link, data []byte) bool {
	l.mu.Lock()
	losing := l.losing
	l.mu.Unlock()
	p.mu.Lock()
	delay := p.faults.delay
	losing = losing && p.faults.lose != nil
	if losing {
		p.counts.Lost++
	} else if delay > 0 {
		p.counts.Delayed++
	}
	if p.faults.shift != 0 {
		p.counts.Shifted += shiftTimes(data, p.faults.shift)
	}
	p.mu.Unlock()
	if losing {
		return false
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-l.closed:
			return false
		}
	}
	return true
}

// connected gives the link its other side; false means it was closed meanwhile.
func (l *link) connected(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		server.Close()
		return false
	default:
		l.server = server
		return true
	}
}

// close ends both sides. Whoever waits for the link learns it from closed.
func (l *link) close() {
	l.once.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		close(l.closed)
		l.client.Close()
		if l.server != nil {
			l.server.Close()
		}
	})
}
