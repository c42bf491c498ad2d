package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/server/servertest"
)

// wire sends the lines of a file as they are, each with CR LF at its end, and waits until the server has closed the connection; with
// -open it waits for the first answer. What must come back are the statuses of all answers, or - for none:
//
//	wire short-body.http 400
//
// In the file ${NAME} is a variable of the script, a line in double quotes has Go's escapes, and … at the end of a line leaves out
// its CR LF.
func (sc *script) wire(args []string) {
	open := args[0] == "-open"
	if open {
		args = args[1:]
	}
	var send strings.Builder
	for line := range strings.Lines(sc.ts.ReadFile(args[0])) {
		text := strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "\r", "")
		text = variable.ReplaceAllStringFunc(text, func(name string) string { return sc.ts.Getenv(name[2 : len(name)-1]) })
		text, cut := strings.CutSuffix(text, "…") // the client stops here
		send.WriteString(sc.value(text))
		if !cut {
			send.WriteString("\r\n")
		}
	}
	got, closed := sc.exchange(send.String(), open)
	if len(got) == 0 {
		got = []string{"-"}
	}
	if !slices.Equal(got, args[1:]) || closed == open {
		sc.Fatalf("got %v, closed %v", got, closed)
	}
}

var variable = regexp.MustCompile(`\$\{\w+\}`)

// patience is longer than any limit of a connection.
const patience = 20 * time.Second

// exchange returns the status of every servertest.Answer, and whether the server closed the connection.
func (sc *script) exchange(send string, first bool) (statuses []string, closed bool) {
	conn := dial(sc, sc.stage.Server)
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

// hangUp sends a request and closes the connection before the answer has come: "hangup POST /token …".
func (sc *script) hangUp(args []string) {
	r := sc.readRequest(args)
	var send strings.Builder
	fmt.Fprintf(&send, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", r.Method, r.Path, len(r.Body))
	r.Header.Write(&send)
	asked := sc.stage.store.waitFor("Rotate")
	conn := dial(sc, sc.stage.Server)
	io.WriteString(conn, send.String()+"\r\n"+r.Body)
	<-asked // so it was not lost on its way
	conn.Close()
}
