package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// traceReceiver is an OTLP receiver that keeps all it gets.
type traceReceiver struct {
	*httptest.Server

	mu   sync.Mutex
	seen strings.Builder
}

func newTraceReceiver(t *testing.T) *traceReceiver {
	r := &traceReceiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.seen.Write(body)
	}))
	t.Cleanup(r.Close)
	return r
}

// settings are the environment of a server that sends its traces here soon.
func (r *traceReceiver) settings() []string {
	return []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}
}

// text is all that was received, in which names and values stand as they are.
func (r *traceReceiver) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen.String()
}
