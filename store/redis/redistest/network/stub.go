package network

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// StubServer is a server with the replies of a test. It speaks RESP2.
type StubServer struct {
	t        testing.TB
	answer   func(args []string) string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{} // guarded by mu; nil once closed
	counts map[string]int        // guarded by mu
}

// Stub starts a server that answers each command with what answer returns, as raw bytes of the
// protocol: "+OK\r\n", "-READONLY You can't write against a read only replica.\r\n", or half of
// that. An empty answer closes the connection. Commands arrive as they were sent, so their names may
// be in lower case. Answer is called from a goroutine for each connection; it may block, but not
// beyond the end of the test.
//
// Not asked about are the commands by which clients set up a connection (HELLO, AUTH, CLIENT,
// SELECT, READONLY): all succeed, but HELLO is unknown, as it was before RESP3.
func Stub(t testing.TB, answer func(args []string) string) *StubServer {
	t.Helper()
	l, err := net.Listen("tcp", Loopback(FreePort(t)))
	if err != nil {
		t.Fatal(err)
	}
	s := &StubServer{t: t, answer: answer, listener: l, conns: map[net.Conn]struct{}{}, counts: map[string]int{}}
	s.running.Go(s.accept)
	t.Cleanup(s.close)
	return s
}

// Addr returns where clients connect.
func (s *StubServer) Addr() string { return s.listener.Addr().String() }

// Count returns how often a command has arrived, whatever the case of its name.
func (s *StubServer) Count(command string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[strings.ToUpper(command)]
}

func (s *StubServer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.conns == nil {
			c.Close()
		} else {
			s.conns[c] = struct{}{}
			s.running.Go(func() { s.serve(c) })
		}
		s.mu.Unlock()
	}
}

func (s *StubServer) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	for r := bufio.NewReader(c); ; {
		args, err := readCommand(r)
		if err != nil {
			gone := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(net.Error))
			if !gone {
				s.t.Errorf("the stub could not read a command: %v", err)
			}
			return
		}
		if len(args) == 0 {
			continue
		}
		reply := s.reply(args)
		if _, err := io.WriteString(c, reply); reply == "" || err != nil {
			return
		}
	}
}

func (s *StubServer) reply(args []string) string {
	name := strings.ToUpper(args[0])
	s.mu.Lock()
	s.counts[name]++
	s.mu.Unlock()
	switch name {
	case "HELLO":
		return "-ERR unknown command 'HELLO'\r\n"
	case "CLIENT":
		// Only managed servers have this, and to a yes go-redis would wait for their notices.
		if len(args) > 1 && strings.EqualFold(args[1], "MAINT_NOTIFICATIONS") {
			return "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'\r\n"
		}
		return "+OK\r\n"
	case "AUTH", "SELECT", "READONLY":
		return "+OK\r\n"
	}
	return s.answer(args)
}

func (s *StubServer) close() {
	s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.conns = nil
	s.mu.Unlock()
	s.running.Wait()
}
