package tracing_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"signet/cmd/signet/internal/tracing"
	"signet/server/edge"
)

// receiver is an OTLP receiver.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	raw   bytes.Buffer
	spans []*trace.Span
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var export collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(body, &export) != nil {
			t.Errorf("what was sent cannot be read: %v", err)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw.Write(body)
		for _, resource := range export.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				r.spans = append(r.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// env sets the variables, which the library reads from the process, and returns a Getenv for them.
func env(t *testing.T, set map[string]string) func(string) string {
	for name, value := range set {
		t.Setenv(name, value)
	}
	return func(name string) string { return set[name] }
}

func attributes(s *trace.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.GetAttributes() {
		all[a.GetKey()] = strings.Trim(a.GetValue().String(), `"`)
	}
	return all
}

// A request has a span with what the access log has, its round trips are below it, and nothing that can hold a secret is sent.
func TestRequest(t *testing.T) {
	const secret = "canary"
	to := newReceiver(t)
	var log bytes.Buffer
	traces, err := tracing.Start(t.Context(), tracing.Config{Getenv: env(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": to.URL}), Version: "1.2.3", Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	logger := traces.Logger(slog.New(slog.NewTextHandler(&log, nil)))
	proxy := netip.MustParsePrefix("192.0.2.0/24")
	server := edge.New(edge.Config{Log: logger, Trace: traces.Request, TrustedProxies: func() []netip.Prefix { return []netip.Prefix{proxy} }})
	route := edge.Route{Name: "token", Surface: &edge.Surface{Error: func(err error) *edge.Error { return edge.Internal(err) }},
		Handle: func(r *edge.Request) (edge.Response, error) {
			r.ClientID, r.Outcome = "web", "healed"
			traces.RoundTrip(r.Context(), "rotating a session", time.Millisecond, nil)
			if r.Method == http.MethodPost {
				return edge.Response{}, errors.New(secret)
			}
			return edge.Response{Body: map[string]string{"secret": secret}}, nil
		}}
	for _, c := range []struct{ method, from string }{{"GET", "198.51.100.7:1"}, {"GET", "192.0.2.1:1"}, {"POST", "@"}} {
		r := httptest.NewRequest(c.method, "/"+secret+"?a="+secret, strings.NewReader("password="+secret))
		r.RemoteAddr = c.from
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Traceparent", "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01")
		r.Header.Set("Tracestate", "x="+secret)
		server.Serve(httptest.NewRecorder(), r, &route)
	}
	if err := traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(to.spans) != 6 {
		t.Fatalf("got %d spans, want 3 requests with a round trip each", len(to.spans))
	}
	for i, want := range []struct {
		name   string
		goesOn bool // the trace of the caller
		failed bool
	}{{"GET token", false, false}, {"GET token", true, false}, {"POST token", true, true}} {
		trip, request := to.spans[2*i], to.spans[2*i+1]
		about := attributes(request)
		if request.GetName() != want.name || trip.GetName() != "redis: rotating a session" || !bytes.Equal(trip.GetParentSpanId(), request.GetSpanId()) {
			t.Errorf("%d: got %v below %v", i, trip, request)
		}
		if goesOn := len(request.GetParentSpanId()) > 0; goesOn != want.goesOn {
			t.Errorf("%d: goes on with the caller's trace: %t", i, goesOn)
		}
		if !strings.Contains(about["signet.client_id"], "web") || !strings.Contains(about["signet.outcome"], "healed") || about["signet.request_id"] == "" {
			t.Errorf("%d: got %v", i, about)
		}
		if failed := request.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR; failed != want.failed {
			t.Errorf("%d: failed: %t", i, failed)
		}
	}
	// Tracestate of a trusted caller is the operator's, and is sent on.
	sent := strings.ReplaceAll(to.raw.String(), "x="+secret, "")
	if strings.Contains(sent, secret) {
		t.Errorf("a secret was sent: %q", sent)
	}
	if strings.Count(log.String(), "trace_id=") < 2 || strings.Count(log.String(), "trace_id=0123456789abcdef0123456789abcdef") == 0 {
		t.Errorf("the log lacks the traces: %s", log.String())
	}
}

// Without a receiver nothing is sent, and variables that cannot be used are errors that name them.
func TestStart(t *testing.T) {
	const endpoint = "http://127.0.0.1:4318"
	for _, c := range []struct {
		set map[string]string
		on  bool
		err string
	}{
		{nil, false, ""},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, false, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, false, ""},
		{map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, false, ""},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint + "/x"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, true, ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "127.0.0.1:4318"}, false, "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "ftp://a"}, false, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, false, "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{map[string]string{"OTEL_TRACES_EXPORTER": "zipkin"}, false, "OTEL_TRACES_EXPORTER"},
	} {
		t.Run("", func(t *testing.T) {
			traces, err := tracing.Start(t.Context(), tracing.Config{Getenv: env(t, c.set), Log: slog.New(slog.DiscardHandler)})
			if (traces != nil) != c.on || (err != nil) != (c.err != "") || err != nil && !strings.HasPrefix(err.Error(), c.err+":") {
				t.Errorf("%v: got %v, %v", c.set, traces != nil, err)
			}
			_ = traces.Close(t.Context())
		})
	}
}

// A receiver that is down is one line in the log, whatever is lost, and requests go on.
func TestReceiverIsDown(t *testing.T) {
	var log bytes.Buffer
	down := httptest.NewServer(nil)
	down.Close()
	traces, err := tracing.Start(t.Context(), tracing.Config{Log: slog.New(slog.NewTextHandler(&log, nil)),
		Getenv: env(t, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": down.URL, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1", "OTEL_EXPORTER_OTLP_TIMEOUT": "200"})})
	if err != nil {
		t.Fatal(err)
	}
	server := edge.New(edge.Config{Trace: traces.Request})
	for range 5 {
		w := httptest.NewRecorder()
		server.Serve(w, httptest.NewRequest("GET", "/", nil), &edge.Route{Name: "test", Surface: &edge.Surface{},
			Handle: func(*edge.Request) (edge.Response, error) { return edge.Response{}, nil }})
		if w.Code != http.StatusOK {
			t.Errorf("got status %d", w.Code)
		}
	}
	_ = traces.Close(t.Context())
	if got := strings.Count(log.String(), "traces cannot be sent"); got != 1 {
		t.Errorf("got %d lines: %s", got, log.String())
	}
}
