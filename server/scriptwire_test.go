package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
)

// wire sends bytes as they are: each line below it that begins with "> " and ends with CR LF, then
// waits until the server has closed the connection, or, after "wire open", for its first answer.
// Its argument is what must come back: the statuses of all answers, or - for none.
//
//	wire 400
//	> POST /token HTTP/1.1
//	> Host: x
//	> Content-Length: +5
//	>
//	> abcde
func (sc *script) wire(rest string, more []scriptLine) {
	var send strings.Builder
	for _, line := range more {
		text := strings.TrimPrefix(strings.TrimPrefix(line.text, ">"), " ")
		text, cut := strings.CutSuffix(text, "…") // no line end: the client stops here
		send.WriteString(sc.value(text))
		if !cut {
			send.WriteString("\r\n")
		}
	}
	want, open := strings.CutPrefix(rest, "open ")
	got, closed := sc.exchange(send.String(), open)
	if len(got) == 0 {
		got = []string{"-"}
	}
	if strings.Join(got, " ") != want || closed == open {
		sc.errorf("got %v, closed %v", got, closed)
	}
}

// patience is longer than any limit of a connection.
const patience = 20 * time.Second

// exchange returns the status of every answer, and whether the server closed the connection.
func (sc *script) exchange(send string, first bool) (statuses []string, closed bool) {
	conn := dial(sc.t, sc.stage.Server)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	go io.WriteString(conn, send) // a server that has had enough does not read on
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if status, ok := strings.CutPrefix(line, "HTTP/1."); ok {
			statuses = append(statuses, strings.Fields(status)[1])
		}
		if err != nil {
			return statuses, !isTimeout(err)
		}
		if first && len(statuses) > 0 && strings.TrimSpace(line) == "" {
			return statuses, false
		}
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

func dial(t testing.TB, s *servertest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// hangUp sends the request and goes away before the answer has come.
func (sc *script) hangUp(rest string, more []scriptLine) {
	_, line, _ := strings.Cut(rest, " ")
	r := sc.readRequest(line, more)
	var send strings.Builder
	fmt.Fprintf(&send, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", r.method, r.path, len(r.body))
	r.header.Write(&send)
	asked := sc.stage.store.waitFor("Rotate")
	conn := dial(sc.t, sc.stage.Server)
	io.WriteString(conn, send.String()+"\r\n"+r.body)
	<-asked // so it was not lost on its way
	conn.Close()
}
