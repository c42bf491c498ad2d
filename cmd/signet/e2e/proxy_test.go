package e2e

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// startOneConnection runs HAProxy in front of the server, with one connection to it that all clients share:
// what one of them left on it would reach the next.
func startOneConnection(t *testing.T, backend string) (address string) {
	t.Helper()
	return startHAProxy(t, fmt.Sprintf(`global
  maxconn 64
defaults
  mode http
  timeout connect 10s
  timeout client 2s
  timeout server 30s
frontend public
  bind fd@3
  default_backend signet
backend signet
  http-reuse always
  server one %s maxconn 1
`, backend))
}

var requestLine = regexp.MustCompile(`^(?:GET|POST|CONNECT) .+ HTTP/\d\.\d\r\n`)

// Row 28 through a proxy: whatever it makes of the bytes, one request of them reaches Signet or none,
// and who comes next on the shared connection gets the answer to its own request.
func TestNothingIsSmuggledThroughAProxy(t *testing.T) {
	t.Parallel()
	p := startInstall(t, "")
	front := startOneConnection(t, p.address())
	visitor := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	visit := func(t *testing.T) {
		t.Helper()
		res, err := visitor.Get("http://" + front + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), `"status":"ok"`) {
			t.Errorf("the next visitor got %d %s, %v", res.StatusCode, body, err)
		}
	}
	visit(t)
	reached := 0
	for _, s := range rawShapes {
		t.Run(s.row+" "+s.name, func(t *testing.T) {
			// To the proxy, too, what is behind the first request is none: its client wants no second answer.
			send := requestLine.ReplaceAllString(strings.Replace(s.send, "Connection: keep-alive\r\n", "", 1), "${0}Connection: close\r\n")
			before, smuggledBefore := p.publicRequests(), p.metric(smuggledMetric)
			answers := rawExchange(t, front, send+smuggled)
			if len(answers) > 1 {
				t.Errorf("got the answers %v, want one at most", answers)
			}
			after := p.publicRequests() - before
			if after > 1 || p.metric(smuggledMetric) != smuggledBefore {
				t.Errorf("%d requests reached the server, %v of them smuggled", after, p.metric(smuggledMetric)-smuggledBefore)
			}
			reached += after
			visit(t)
		})
	}
	t.Logf("%d of %d shapes reached the server", reached, len(rawShapes))
	if reached < 5 {
		t.Errorf("only %d of the shapes reached the server: the test proves nothing", reached)
	}
}

// publicRequests is how many requests the public listener has answered.
func (p *process) publicRequests() (n int) {
	p.t.Helper()
	for line := range strings.Lines(p.metrics()) {
		labels, value, _ := strings.Cut(strings.TrimSpace(line), "} ")
		if !strings.HasPrefix(labels, "signet_requests_total{") || strings.Contains(labels, `endpoint="admin.`) {
			continue
		}
		count, err := strconv.ParseFloat(value, 64)
		if err != nil {
			p.t.Fatalf("metrics: %q", line)
		}
		n += int(count)
	}
	return n
}
