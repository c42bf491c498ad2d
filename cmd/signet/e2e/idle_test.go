package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

const openConnections = `signet_connections_open{listener="public"}`

// crowdOf holds connections to the server, and closes them with the test.
type crowdOf struct {
	t       *testing.T
	address string

	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func newCrowd(t *testing.T, address string) *crowdOf {
	c := &crowdOf{t: t, address: address}
	t.Cleanup(c.leave)
	return c
}

// open opens n connections, has each send something, and waits for an answer where one is due.
func (c *crowdOf) open(n int, send string, answered bool) {
	c.t.Helper()
	var all sync.WaitGroup
	const workers = 16
	for worker := range workers {
		all.Go(func() {
			for i := worker; i < n; i += workers {
				if err := c.openOne(send, answered); err != nil {
					c.t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

func (c *crowdOf) openOne(send string, answered bool) error {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	if _, err := fmt.Fprint(conn, send); err != nil || !answered {
		return err
	}
	return c.ask(conn, "")
}

// ask sends a request where there is one, and reads an answer.
func (c *crowdOf) ask(conn net.Conn, request string) error {
	if _, err := fmt.Fprint(conn, request); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (c *crowdOf) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// What the connections of a crowd have sent.
const (
	oneRequest = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" // and are idle after it
	halfHeader = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Ty"
	halfBody   = rawPost + "Content-Length: 500\r\n\r\ngrant_type=pass"
)

// serves checks that whoever comes now is served: the key set, the metadata and a token.
func (p *process) serves(when string) {
	p.t.Helper()
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, path := range []string{"/.well-known/jwks.json", "/.well-known/openid-configuration", "/token"} {
		ask := func() (*http.Response, error) { return client.Get(p.demo.Issuer + path) }
		if path == "/token" {
			ask = func() (*http.Response, error) { return client.PostForm(p.demo.Issuer+path, p.demo.login()) }
		}
		res, err := ask()
		if err != nil {
			p.t.Errorf("%s: %s: %v", when, path, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			p.t.Errorf("%s: %s: got %d", when, path, res.StatusCode)
		}
	}
}

// Thousands of connections that do nothing, each in a way of its own, keep nobody out and leave
// nothing behind.
func TestThousandsOfIdleConnections(t *testing.T) {
	n := min(5000, int(openFiles()*3/4)-200) // files of this process, and of the server's, which has the same limit
	if n < 300 {
		needs(t, "a limit of open files", "ulimit -n 1024")
	}
	p := startInstall(t, "", "SIGNET_MAX_CONNECTIONS=10000")
	p.serves("before")
	goroutines, files, heap := p.metric("go_goroutines"), p.metric("process_open_fds"), p.metric("go_memstats_heap_alloc_bytes")

	c := newCrowd(t, p.address())
	c.open(n*7/10, oneRequest, true)
	c.open(n/10, halfBody, false)
	c.open(n/10, halfHeader, false)
	c.open(n/10, "", false)
	for p.metric(openConnections) < float64(n) && len(c.conns) < 3*n { // a busy machine has let some run into their time-outs
		c.open(n/20, "", false)
	}
	begun, open := time.Now(), p.metric(openConnections)
	if open < float64(n) {
		t.Fatalf("the server has %v connections open, want %d", open, n)
	}
	p.serves("with all of them")
	if still := p.metric(openConnections); still < float64(n*7/10) {
		t.Errorf("%v connections are left after %v: idle ones went before their time", still, time.Since(begun))
	}
	for _, conn := range c.conns[:10] {
		if err := c.ask(conn, oneRequest); err != nil {
			t.Errorf("a connection that was idle meanwhile: %v", err)
		}
	}
	took, grown := time.Since(begun), p.metric("go_memstats_heap_inuse_bytes")+p.metric("go_memstats_stack_inuse_bytes")

	c.leave()
	waitFor(t, "the server to have closed them all", func() bool { return p.metric(openConnections) == 0 })
	waitFor(t, "their goroutines to end", func() bool { return p.metric("go_goroutines") <= goroutines+10 })
	waitFor(t, "their files to be closed", func() bool { return p.metric("process_open_fds") <= files+10 })
	waitFor(t, "their memory to be free", func() bool { return p.metric("go_memstats_heap_alloc_bytes") <= heap+8<<20 })
	p.serves("after")
	t.Logf("%v connections open, 3 requests answered meanwhile, in %v; the server had %.0f MiB in use", open, took.Round(time.Millisecond), grown/(1<<20))
}

// Beyond the limit whoever comes is served all the same, and those who have been idle longest go.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	const limit = 60
	p := startInstall(t, "", fmt.Sprint("SIGNET_MAX_CONNECTIONS=", limit))
	c := newCrowd(t, p.address())
	c.open(5, oneRequest, true)
	first := slices.Clone(c.conns)
	for range 5 {
		c.open(limit, oneRequest, true) // each of them answered, too
		c.open(limit, "", false)
		c.open(limit, halfHeader, false)
		p.serves("beyond the limit")
		if open := p.metric(openConnections); open > limit {
			t.Errorf("%v connections are open, want %d at most", open, limit)
		}
	}
	if shed := p.metric(`signet_connections_shed_total{closed="idle",limit="all",listener="public"}`); shed < 12*limit {
		t.Errorf("%v connections have made room: the test proves nothing", shed)
	}
	if refused := p.metric(`signet_connections_shed_total{closed="new",limit="all",listener="public"}`); refused != 0 {
		t.Errorf("%v connections were refused though others were idle", refused)
	}
	for _, conn := range first {
		if err := c.ask(conn, oneRequest); err == nil {
			t.Error("one that had been idle for longest is still there")
		}
	}
}

// Whole requests are finished, however many connections come meanwhile. They never take all places: one
// request too many is refused with an answer, and the key set is there.
func TestRequestsUnderWayAreNotCutOff(t *testing.T) {
	const limit, most = 8, 7                                               // an eighth is kept for the key set and health
	p := startInstall(t, "", fmt.Sprint("SIGNET_MAX_CONNECTIONS=", limit), // and a hash takes so long that all logins are there at once
		"SIGNET_PASSWORD_ARGON2_MEMORY_KIB=10240", "SIGNET_PASSWORD_ARGON2_TIME=100", "SIGNET_PASSWORD_SLOTS=1", "SIGNET_PASSWORD_WAIT=10s", "SIGNET_THROTTLE_PER_ACCOUNT=100")
	c := newCrowd(t, p.address())
	body := p.demo.login().Encode()
	login := rawPost + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)) + body
	busy := func() int {
		return int(p.metric(openConnections) - p.metric(`signet_connections_idle{listener="public"}`))
	}
	begun := time.Now()
	c.open(most, login, false)
	waitFor(t, "all of them to be under way", func() bool {
		now := busy()
		if now < most && time.Since(begun) > time.Second { // on a busy machine some are answered before this looks
			begun = time.Now()
			c.open(most-now, login, false)
		}
		return now == most
	})
	underWay := c.conns
	if status, answer := post(t, p.demo.Issuer+"/token", p.demo.login()); status != http.StatusServiceUnavailable {
		t.Errorf("one login more: got %d %v, want 503", status, answer)
	}
	if refused := p.metric(`signet_connections_shed_total{closed="request",limit="all",listener="public"}`); refused < 1 {
		t.Error("a request was refused, and the metric does not count it")
	}
	for range 3 {
		c.open(limit, halfHeader, false)
		c.open(limit, halfBody, false)
		c.open(limit, oneRequest, false)
		if status := p.status("/.well-known/jwks.json"); status != "200 OK" {
			t.Errorf("the key set meanwhile: got %s", status)
		}
	}
	if shed := p.metric(`signet_connections_shed_total{closed="idle",limit="all",listener="public"}`); shed < 3*limit {
		t.Errorf("%v connections have made room: the test proves nothing", shed)
	}
	if busy() == 0 {
		t.Error("no request was under way meanwhile: the test proves nothing")
	}
	for i, conn := range underWay {
		if err := c.ask(conn, ""); err != nil {
			t.Errorf("request %d was under way: %v", i+1, err)
		}
	}
	waitFor(t, "room for a login", func() bool {
		status, _ := post(t, p.demo.Issuer+"/token", p.demo.login())
		return status == http.StatusOK
	})
}

// status is that of a GET, or the error.
func (p *process) status(path string) string {
	res, err := http.Get(p.demo.Issuer + path)
	if err != nil {
		return err.Error()
	}
	res.Body.Close()
	return res.Status
}

// openFiles is how many files this process may have open. Go has raised the soft limit to the hard one by now.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what every system allows
	}
	return uint64(limit.Cur)
}
