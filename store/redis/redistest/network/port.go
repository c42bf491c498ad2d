package network

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// Ports come from below the range that systems give to outgoing connections. A server that is down
// for a while could not come back to a port from that range: any client may have been given it. And
// a client that keeps dialling one may be given that very port, and connects to itself.
const lowestPort, highestPort = 15000, 32000

// given holds the ports handed out so far: a process must not offer one twice, because a server
// that is down still owns its port.
var given struct {
	mu    sync.Mutex
	ports map[int]bool
}

// FreePort returns a port that is free. Another process may still be faster; the code that starts a
// server has to try again with another port then.
func FreePort(t testing.TB) int {
	t.Helper()
	given.mu.Lock()
	defer given.mu.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for range 1000 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if given.ports[port] {
			continue
		}
		l, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			continue
		}
		l.Close()
		given.ports[port] = true
		return port
	}
	t.Fatalf("no free port between %d and %d", lowestPort, highestPort)
	return 0
}

// Loopback is an address of this machine.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
