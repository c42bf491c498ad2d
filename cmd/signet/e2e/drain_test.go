package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// A proxy that keeps its connections open sees none of them break while the server is stopped: within
// shutdown.delay each answer announces that its connection closes, so that none is left when the end comes.
func TestStoppingResetsNoConnection(t *testing.T) {
	t.Setenv("SIGNET_SHUTDOWN_DELAY", "1s")
	_, configFile := install(t, "")
	p, address := startServe(t, configFile)
	var clients sync.WaitGroup
	var answered, announced atomic.Int32
	begun := make(chan struct{}, 16)
	for range 16 {
		clients.Go(func() {
			for first := true; ; {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					return // the listener is closed: the server has gone
				}
				for kept, open := false, true; open; kept = true {
					if open, err = askKeySet(conn); err != nil && !kept {
						break // it came as the listener was closed
					} else if err != nil {
						t.Errorf("a connection broke between two requests: %v", err)
						break
					}
					answered.Add(1)
					if first {
						begun <- struct{}{}
						first = false
					}
					if !open {
						announced.Add(1)
					}
					time.Sleep(20 * time.Millisecond) // what a proxy has to do meanwhile
				}
				conn.Close()
			}
		})
	}
	for range 16 {
		<-begun
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.exited
	clients.Wait()
	if answered.Load() < 200 || announced.Load() < 16 {
		t.Errorf("got %d answers, of which %d announced the end of their connection; want at least 200 and 16", answered.Load(), announced.Load())
	}
	t.Logf("%d answers, %d of them closed their connection", answered.Load(), announced.Load())
}

// askKeySet sends one request and reports whether the connection stays open after its answer.
func askKeySet(conn net.Conn) (open bool, err error) {
	if _, err := fmt.Fprint(conn, "GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		return false, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	return !res.Close, nil
}
