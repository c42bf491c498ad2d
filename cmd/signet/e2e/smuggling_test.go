package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// smuggled is what a proxy that frames the bytes before it otherwise would take for a part of them.
// Nothing else here asks for the key set, so the server's own count shows whether it was ever obeyed.
const smuggled = "GET /.well-known/jwks.json HTTP/1.1\r\nHost: x\r\n\r\n"

const smuggledMetric = `signet_requests_total{endpoint="jwks",grant_type="",outcome="ok"}`

// rawPost is the head of a request to /token up to the lines that frame its body.
const rawPost = "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"

// rawShape is one request that two parsers may read differently, by its row in the bad-input table.
type rawShape struct {
	row, name, send string
	statuses        string // any of them is right
}

// rawShapes all have smuggled behind what they send.
var rawShapes = []rawShape{
	{"22", "a length beyond the limit", rawPost + "Content-Length: 99999\r\n\r\n", "413"},
	{"22", "a chunk beyond the limit", rawPost + "Transfer-Encoding: chunked\r\n\r\n1ffff\r\n" + strings.Repeat("a", 0x1ffff) + "\r\n0\r\n\r\n", "413"},
	{"24", "a header beyond the limit", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 20<<10) + "\r\n\r\n", "431"},
	{"24", "many headers beyond the limit", "GET /healthz HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: a\r\n", 5000) + "\r\n", "431"},

	{"28", "length and chunks", rawPost + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunks and length", rawPost + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunks, and a length that covers what is smuggled", rawPost + "Content-Length: 53\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunks only", rawPost + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunks to an endpoint that reads no body", "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "200"},
	{"28", "chunks to a path that is not there", "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "404"},
	{"28", "two lengths", rawPost + "Content-Length: 0\r\nContent-Length: 48\r\n\r\n", "400"},
	{"28", "two lengths in one", rawPost + "Content-Length: 0, 48\r\n\r\n", "400"},
	{"28", "a length with a sign", rawPost + "Content-Length: +0\r\n\r\n", "400"},
	{"28", "a negative length", rawPost + "Content-Length: -1\r\n\r\n", "400"},
	{"28", "a hexadecimal length", rawPost + "Content-Length: 0x0\r\n\r\n", "400"},
	{"28", "a length that overflows", rawPost + "Content-Length: 18446744073709551616\r\n\r\n", "400"},
	{"28", "an empty length", rawPost + "Content-Length: \r\n\r\n", "400"},
	{"28", "a length, space before the colon", rawPost + "Content-Length : 0\r\n\r\n", "400"},
	{"28", "xchunked", rawPost + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"},
	{"28", "chunked, identity", rawPost + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "400 501"},
	{"28", "gzip, chunked", rawPost + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
	{"28", "chunked twice", rawPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 501"},
	{"28", "chunked, then something else", rawPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n", "400 501"},
	{"28", "chunks, space before the colon", rawPost + "Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400"},
	{"28", "chunks, space before the name", rawPost + "Content-Length: 5\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunked in a folded line", rawPost + "Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunked behind a tab", rawPost + "Content-Length: 5\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", "400 401"},
	{"28", "chunked and a vertical tab", rawPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\v\r\n\r\n0\r\n\r\n", "400 501"},
	{"28", "chunked in quotes", rawPost + "Content-Length: 5\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400 501"},
	{"28", "no chunk size", rawPost + "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n", "400"},
	{"28", "a chunk size that is none", rawPost + "Transfer-Encoding: chunked\r\n\r\nz\r\n\r\n", "400"},
	{"28", "a chunk size with a sign", rawPost + "Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n", "400"},
	{"28", "a negative chunk size", rawPost + "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "400"},
	{"28", "a chunk size with 0x", rawPost + "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n", "400"},
	{"28", "a chunk size that overflows", rawPost + "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n", "400"},
	{"28", "a chunk longer than its size", rawPost + "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "400"},
	{"28", "a chunk size that ends in LF only", rawPost + "Transfer-Encoding: chunked\r\n\r\n0\n\r\n", "400 401"},
	{"28", "a chunk extension with a line break", rawPost + "Transfer-Encoding: chunked\r\n\r\n0;a=\nb\r\n\r\n", "400"},
	{"28", "a trailer that names a length", rawPost + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\nContent-Length: 48\r\n\r\n", "400 401"},
	{"28", "NUL in a value", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", "400"},
	{"28", "NUL in a name", "GET /healthz HTTP/1.1\r\nHost: x\r\nX\x00: a\r\n\r\n", "400"},
	{"28", "CR in a value", "GET /healthz HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 48\r\n\r\n", "400"},
	{"28", "a header without a colon", "GET /healthz HTTP/1.1\r\nHost: x\r\nX\r\n\r\n", "400"},
	{"28", "a header without a name", "GET /healthz HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", "400"},
	{"28", "space in the target", "GET /healthz /x HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
	{"28", "NUL in the target", "GET /healthz\x00 HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
	{"28", "HTTP/1.0 with chunks", "POST /token HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n", "400 401"},
	{"28", "HTTP/1.0 with a connection to keep", "GET /healthz HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "200"},
	{"28", "HTTP/0.9", "GET /healthz\r\n", "400"},
	{"28", "HTTP/1.2", "GET /healthz HTTP/1.2\r\nHost: x\r\nConnection: close\r\n\r\n", "200 505"},
	{"28", "HTTP/2.0", "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n", "400 505"},
	{"28", "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", "400 404 505"},
	{"28", "an upgrade to HTTP/2 in the clear", "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "200"},
	{"28", "the start of a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
	{"28", "authority-form", "CONNECT internal.example:443 HTTP/1.1\r\nHost: internal.example:443\r\n\r\n", "400 404 405"},
	{"28", "a request behind one that is broken", "GET /healthz HTTP/1.1\r\nHost: x\r\nBroken\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},

	{"29", "no Host", "GET /healthz HTTP/1.1\r\n\r\n", "400"},
	{"29", "two Hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", "400"},
	{"29", "two equal Hosts", "GET /healthz HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "400"},
	{"29", "a Host with a space", "GET /healthz HTTP/1.1\r\nHost: x y\r\n\r\n", "400"},
	{"29", "CONNECT without a Host", "CONNECT internal.example:443 HTTP/1.1\r\n\r\n", "400 404 405"},

	{"31", "100-continue with a length beyond the limit", rawPost + "Expect: 100-continue\r\nContent-Length: 99999\r\n\r\n", "413"},
	{"31", "100-continue to a path that is not there", "POST /nothing HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 48\r\n\r\n", "404"},
	{"31", "something else is expected", rawPost + "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n", "417"},
}

// Rows 22, 24, 28, 29 and 31 on the wire, to a whole process: one answer and a closed connection, and
// the bytes behind are never obeyed.
func TestNothingIsSmuggled(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "")
	for _, s := range rawShapes {
		t.Run(s.row+" "+s.name, func(t *testing.T) {
			before := p.metric(smuggledMetric)
			answers := rawExchange(t, p.address(), s.send+smuggled)
			if len(answers) != 1 || !strings.Contains(s.statuses, answers[0]) {
				t.Errorf("got the answers %v, want one of %s", answers, s.statuses)
			}
			if p.metric(smuggledMetric) != before {
				t.Error("the bytes behind it were obeyed")
			}
		})
	}
	t.Run("what is well framed is answered, one after the other", func(t *testing.T) {
		well := "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET http://other.example/healthz HTTP/1.1\r\nHost: x\r\n\r\n" +
			rawPost + "Content-Length: 48\r\n\r\n" + smuggled + "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
		before := p.metric(smuggledMetric)
		if got := strings.Join(rawExchange(t, p.address(), well), " "); got != "200 200 400 200" && got != "200 200 401 200" {
			t.Errorf("got %s", got)
		}
		if p.metric(smuggledMetric) != before {
			t.Error("the body of a request was obeyed as another one")
		}
	})
}

var statusLine = regexp.MustCompile(`HTTP/1\.[01] (\d{3}) `)

// rawExchange sends all of it and returns the status of every answer, once the server has closed.
func rawExchange(t *testing.T, address, send string) (statuses []string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go fmt.Fprint(conn, send) // a server that answers early need not read it all
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		t.Errorf("the connection is still open after 30 s; it has brought %q", text)
	}
	for _, m := range statusLine.FindAllSubmatch(text, -1) {
		statuses = append(statuses, string(m[1]))
	}
	return statuses
}

// address is where the process listens.
func (p *process) address() string { return strings.TrimPrefix(p.demo.Issuer, "http://") }
