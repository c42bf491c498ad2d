package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/internal/install/installtest"
)

// stalls are ways to hold a connection with a request that never gets whole, or whose answer is never read.
var stalls = []string{
	halfBody,
	rawPost + "Transfer-Encoding: chunked\r\n\r\n5\r\ngrant",
	rawPost + "Expect: 100-continue\r\nContent-Length: 100\r\n\r\n",
	oneRequest + halfBody,
	oneRequest + oneRequest + rawPost + "Content-Length: 100\r\n\r\n",
	"GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
	"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n",
	"POST /userinfo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 10000\r\n\r\n",
}

// More stalled requests than there are places, which come again a quarter of a second after they are closed and send a byte a
// second, shut nobody out of the key set.
func TestStalledBodiesShutNobodyOut(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS %v", encrypted), func(t *testing.T) {
			t.Parallel()
			extra := "max_connections: 40\n"
			if encrypted {
				extra += "tls: {cert: cert.pem, key: key.pem}\n"
			}
			dir, configFile := install(t, extra)
			installtest.WriteCertificate(t, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), 1)
			_, address := startServe(t, configFile)
			dial := func() (net.Conn, error) { return net.Dial("tcp", address) }
			scheme := "http"
			if encrypted {
				scheme = "https"
				dial = func() (net.Conn, error) { return tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) }
			}

			var stalling sync.WaitGroup
			var stalled atomic.Int32
			done := make(chan struct{})
			for i := range 60 {
				stalling.Go(func() { stallForEver(dial, stalls[i%len(stalls)], &stalled, done) })
			}
			defer stalling.Wait()
			defer close(done)
			waitFor(t, "sixty stalled requests", func() bool { return stalled.Load() >= 60 })

			for i := range 49 {
				client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
				res, err := client.Get(scheme + "://" + address + "/.well-known/jwks.json")
				if err != nil {
					t.Errorf("key set, time %d: %v", i+1, err)
					continue
				}
				res.Body.Close()
				if res.StatusCode != http.StatusOK {
					t.Errorf("key set, time %d: got %d", i+1, res.StatusCode)
				}
			}
			t.Logf("the key set was asked for 49 times, beside %d stalled requests", stalled.Load())
		})
	}
}

// stallForEver begins the request, sends a byte a second, and begins again when the connection is closed.
func stallForEver(dial func() (net.Conn, error), begin string, stalled *atomic.Int32, done chan struct{}) {
	for {
		conn, err := dial()
		if err == nil {
			if _, err = fmt.Fprint(conn, begin); err == nil {
				stalled.Add(1)
			}
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				buffer := make([]byte, 4096)
				for {
					if _, err := conn.Read(buffer); err != nil {
						return
					}
				}
			}()
			trickle(conn, closed, done)
			conn.Close()
		}
		select {
		case <-done:
			return
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func trickle(conn net.Conn, closed, done chan struct{}) {
	for {
		select {
		case <-closed:
			return
		case <-done:
			return
		case <-time.After(time.Second):
			_, _ = conn.Write([]byte("a"))
		}
	}
}
