package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/internal/install/installtest"
)

// slowClient takes its time in one way. stall returns once the server has closed the connection.
type slowClient struct {
	row, name string
	limit     time.Duration // after which the server should have had enough
	stall     func(s *slowness, conn net.Conn) error
}

// The limits as server/README.md states them.
const (
	refusedLimit = time.Second // of a body that is not wanted, for the sake of who is still sending it
	headerLimit  = 5 * time.Second
	requestLimit = 10 * time.Second
	answerLimit  = 15 * time.Second
	idleLimit    = 60 * time.Second
)

var slowClients = []slowClient{
	{"25", "nothing comes", headerLimit, func(s *slowness, conn net.Conn) error { return s.untilClosed(conn) }},
	{"25", "half a header", headerLimit, func(s *slowness, conn net.Conn) error { return s.after(conn, halfHeader) }},
	{"25", "a header byte by byte", headerLimit, func(s *slowness, conn net.Conn) error {
		return s.dribble(conn, "", rawPost+"X: aaaaaaaaaa")
	}},
	{"25", "header after header", headerLimit, func(s *slowness, conn net.Conn) error {
		return s.dribble(conn, rawPost, "a:\r\n")
	}},
	{"25", "half a header behind an answered request", headerLimit, func(s *slowness, conn net.Conn) error {
		return s.after(conn, oneRequest+halfHeader)
	}},
	{"26", "half a body", requestLimit, func(s *slowness, conn net.Conn) error { return s.after(conn, halfBody) }},
	{"26", "a body byte by byte", requestLimit, func(s *slowness, conn net.Conn) error {
		return s.dribble(conn, rawPost+"Content-Length: 10000\r\n\r\n", "a")
	}},
	{"26", "chunk after chunk", requestLimit, func(s *slowness, conn net.Conn) error {
		return s.dribble(conn, rawPost+"Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")
	}},
	{"26", "a body where none is read", refusedLimit, func(s *slowness, conn net.Conn) error {
		return s.dribble(conn, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n", "a")
	}},
	{"26", "a body that waits for 100-continue, and then for ever", requestLimit, func(s *slowness, conn net.Conn) error {
		return s.after(conn, rawPost+"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n")
	}},
	{"22", "a body that is refused", refusedLimit, func(s *slowness, conn net.Conn) error {
		return s.after(conn, rawPost+"Content-Length: 99999\r\n\r\n")
	}},
	{"", "answers that are never read", answerLimit, (*slowness).neverRead},
}

// slowness is one server and those who are slow with it.
type slowness struct {
	patience time.Duration // after which the test has had enough
}

// untilClosed reads until the server closes.
func (s *slowness) untilClosed(conn net.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(s.patience)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Errorf("still open after %v", s.patience)
	}
	return nil // a reset is an end, too
}

func (s *slowness) after(conn net.Conn, send string) error {
	if _, err := fmt.Fprint(conn, send); err != nil {
		return err
	}
	return s.untilClosed(conn)
}

// dribble sends the beginning at once and then, for ever, a byte every tenth of a second, so that no
// time-out of a single read would notice.
func (s *slowness) dribble(conn net.Conn, atOnce, slowly string) error {
	if _, err := fmt.Fprint(conn, atOnce); err != nil {
		return err
	}
	closed := make(chan error, 1)
	go func() { closed <- s.untilClosed(conn) }()
	for i := 0; ; i++ {
		select {
		case err := <-closed:
			return err
		case <-time.After(100 * time.Millisecond):
			_, _ = conn.Write([]byte{slowly[i%len(slowly)]}) // the reader reports what is wrong with the connection
		}
	}
}

// neverRead asks for the key set again and again and reads nothing, until the server resets it.
func (s *slowness) neverRead(conn net.Conn) error {
	begun := time.Now()
	requests := []byte(strings.Repeat("GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n", 100))
	for time.Since(begun) < s.patience {
		if err := conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return err
		}
		if _, err := conn.Write(requests); err != nil && !os.IsTimeout(err) {
			return nil
		}
	}
	return fmt.Errorf("still open after %v", s.patience)
}

// dialSlow connects with a small buffer for what it does not read.
func dialSlow(address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		controlErr := raw.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
		if controlErr != nil {
			return controlErr
		}
		return err
	}}
	return d.DialContext(context.Background(), "tcp", address)
}

// Rows 22, 25 and 26 on whole processes, with and without TLS: who is slow is cut off within the
// limits, nobody else notices, and no goroutine is left.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	clients := slowClients
	if os.Getenv("SIGNET_SOAK") != "" { // a minute more
		clients = append(slices.Clip(clients), slowClient{"", "nothing after an answered request", idleLimit,
			func(s *slowness, conn net.Conn) error { return s.after(conn, oneRequest) }})
	}
	p := startInstall(t, "")
	p.serves("before")
	goroutines := p.metric("go_goroutines")
	done := p.keepServing()
	var all sync.WaitGroup
	var wanted, refused time.Duration
	for _, client := range clients {
		all.Go(func() {
			took := stallOne(t, client, func() (net.Conn, error) { return dialSlow(p.address()) })
			switch client.name {
			case "half a body":
				wanted = took
			case "a body that is refused":
				refused = took
			}
		})
	}
	encrypted := startSlowTLS(t, &all)
	all.Wait()
	if refused >= wanted {
		t.Errorf("22: a body that was refused for its length was waited for %v, one that is wanted %v", refused, wanted)
	}
	if asked := done(); asked < 10 {
		t.Errorf("only %d others were served meanwhile: the test proves nothing", asked)
	}
	for _, p := range []*process{p, encrypted} {
		waitFor(t, "their connections to be closed", func() bool { return p.metric(openConnections) == 0 })
	}
	waitFor(t, "their goroutines to end", func() bool { return p.metric("go_goroutines") <= goroutines+3 })
}

// startSlowTLS starts a server with TLS, and those who are slow with it.
func startSlowTLS(t *testing.T, all *sync.WaitGroup) *process {
	t.Helper()
	p, address := startTLS(t)
	const hello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaa" // the beginning of a handshake
	for _, client := range []slowClient{
		{"25", "TLS: no handshake", headerLimit, (*slowness).untilClosed},
		{"25", "TLS: half a handshake", headerLimit, func(s *slowness, conn net.Conn) error { return s.after(conn, hello) }},
		{"25", "TLS: a handshake byte by byte", headerLimit, func(s *slowness, conn net.Conn) error { return s.dribble(conn, hello, "a") }},
	} {
		all.Go(func() { stallOne(t, client, func() (net.Conn, error) { return net.Dial("tcp", address) }) })
	}
	for _, client := range []slowClient{
		{"25", "TLS: nothing after the handshake", headerLimit, (*slowness).untilClosed},
		{"25", "TLS: half a header", headerLimit, func(s *slowness, conn net.Conn) error { return s.after(conn, halfHeader) }},
		{"26", "TLS: half a body", requestLimit, func(s *slowness, conn net.Conn) error { return s.after(conn, halfBody) }},
	} {
		all.Go(func() {
			stallOne(t, client, func() (net.Conn, error) { return tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) })
		})
	}
	return p
}

func startTLS(t *testing.T) (p *process, address string) {
	t.Helper()
	dir, configFile := install(t, "tls: {cert: cert.pem, key: key.pem}\n")
	installtest.WriteCertificate(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), 1)
	p, address = startServe(t, configFile)
	p.demo.AdminSocket = filepath.Join(dir, "admin.sock")
	return p, address
}

// stallOne reports how long the server put up with the client.
func stallOne(t *testing.T, client slowClient, dial func() (net.Conn, error)) (took time.Duration) {
	conn, err := dial()
	if err != nil {
		t.Errorf("%s %s: %v", client.row, client.name, err)
		return 0
	}
	defer conn.Close()
	begun := time.Now()
	s := &slowness{patience: 2*client.limit + 20*time.Second}
	if err := client.stall(s, conn); err != nil {
		t.Errorf("%s %s: %v, want it closed after %v", client.row, client.name, err, client.limit)
		return 0
	}
	took = time.Since(begun)
	if took < client.limit/2 {
		t.Errorf("%s %s: closed after %v already, which is not what its limit of %v does", client.row, client.name, took, client.limit)
	}
	t.Logf("%s %s: closed after %v", client.row, client.name, took.Round(100*time.Millisecond))
	return took
}

// keepServing asks for what others want until done is called, which returns how often it was served.
func (p *process) keepServing() (done func() int) {
	stop, asked := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				asked <- n
				return
			case <-time.After(200 * time.Millisecond):
				p.serves("meanwhile")
				n++
			}
		}
	}()
	return func() int {
		close(stop)
		return <-asked
	}
}

// HTTP/2, whose limits would be others, is not spoken.
func TestOnlyHTTP1IsSpoken(t *testing.T) {
	t.Parallel()
	_, address := startTLS(t)
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if spoken := conn.ConnectionState().NegotiatedProtocol; spoken != "http/1.1" {
		t.Errorf("offered h2 and http/1.1: the server chose %q", spoken)
	}
	if conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}); err == nil {
		conn.Close()
		t.Error("offered h2 only: the server took it")
	}
}
