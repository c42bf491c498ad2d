package tracing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"signet/server/edge"
)

// Config configures Start.
type Config struct {
	Getenv  func(string) string // has the standard variables; they are those of the process
	Version string              // of the program
	Log     *slog.Logger
}

// Tracing sends traces. The nil *Tracing sends none.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	context  propagation.TraceContext
}

// Wanted reports whether the variables name where traces go.
func Wanted(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return false
	}
	switch exporter := getenv("OTEL_TRACES_EXPORTER"); exporter {
	case "":
		return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	default:
		return exporter != "none"
	}
}

// Start begins to send traces where the variables name a receiver, and returns nil where they do not. It does not wait for the
// receiver. The error is about a variable that cannot be used.
func Start(ctx context.Context, cfg Config) (*Tracing, error) {
	if !Wanted(cfg.Getenv) {
		return nil, nil
	}
	exporter, err := newExporter(ctx, cfg.Getenv)
	if err != nil {
		return nil, err
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(attribute.String("service.name", "signet"),
		attribute.String("service.version", cfg.Version)), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(&failures{log: cfg.Log, now: time.Now})
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return newTracing(provider), nil
}

func newTracing(provider *sdk.TracerProvider) *Tracing {
	return &Tracing{provider: provider, tracer: provider.Tracer("signet")}
}

// newExporter returns that of OTEL_EXPORTER_OTLP_PROTOCOL. It connects later.
func newExporter(ctx context.Context, getenv func(string) string) (sdk.SpanExporter, error) {
	if name := getenv("OTEL_TRACES_EXPORTER"); name != "" && name != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: %q is neither otlp nor none", name)
	}
	either := func(name string) (variable, value string) {
		variable = "OTEL_EXPORTER_OTLP_TRACES_" + name
		if value = getenv(variable); value == "" {
			variable = "OTEL_EXPORTER_OTLP_" + name
			value = getenv(variable)
		}
		return variable, value
	}
	if variable, endpoint := either("ENDPOINT"); endpoint != "" {
		if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("%s: it is not an address such as http://127.0.0.1:4318", variable)
		}
	}
	variable, protocol := either("PROTOCOL")
	switch protocol {
	case "", "http/protobuf":
		return otlptracehttp.New(ctx)
	case "grpc":
		return otlptracegrpc.New(ctx)
	}
	return nil, fmt.Errorf("%s: %q is neither http/protobuf nor grpc", variable, protocol)
}

// Close sends what has not been sent, as long as ctx allows.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Request begins the trace of a request; see edge.Config.
func (t *Tracing) Request(r *http.Request, trusted bool) (context.Context, func(*edge.Request, *edge.Route, int)) {
	ctx := r.Context()
	options := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	if trusted {
		ctx = t.context.Extract(ctx, propagation.HeaderCarrier(r.Header))
	}
	ctx, span := t.tracer.Start(ctx, "request", options...)
	return ctx, func(r *edge.Request, rt *edge.Route, status int) {
		if span.IsRecording() {
			describe(span, r, rt, status)
		}
		span.End()
	}
}

// describe adds what is known when the response was written. The names are those of the semantic conventions for HTTP, and those of
// the access log.
func describe(span trace.Span, r *edge.Request, rt *edge.Route, status int) {
	method := r.Method
	if !knownMethod(method) {
		method = "_OTHER" // as the conventions have it
	}
	span.SetName(method + " " + rt.Name)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", rt.Name),
		attribute.Int("http.response.status_code", status), attribute.String("signet.request_id", r.ID))
	optional := func(name, value string) {
		if value != "" {
			span.SetAttributes(attribute.String(name, value))
		}
	}
	if r.Address.IsValid() {
		optional("client.address", r.Address.String())
	}
	optional("signet.grant_type", r.GrantType)
	optional("signet.client_id", r.ClientID)
	optional("signet.sub", r.Subject)
	optional("signet.sid", r.SessionID)
	optional("signet.outcome", r.Outcome)
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, http.StatusText(status))
	}
}

func knownMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
		http.MethodConnect, http.MethodTrace:
		return true
	}
	return false
}

// RoundTrip records a round trip to Redis that has just ended.
func (t *Tracing) RoundTrip(ctx context.Context, doing string, took time.Duration, err error) {
	if t == nil || !trace.SpanContextFromContext(ctx).IsSampled() {
		return // what the server does by itself, in the background, is no trace
	}
	now := time.Now()
	_, span := t.tracer.Start(ctx, "redis: "+doing, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(now.Add(-took)),
		trace.WithAttributes(attribute.String("db.system.name", "redis"), attribute.String("db.operation.name", doing)))
	if err != nil {
		span.SetStatus(codes.Error, "no answer, or one that cannot be used")
	}
	span.End(trace.WithTimestamp(now))
}

// failures logs that traces could not be sent, once a minute at most: a receiver that is down must not fill the log.
type failures struct {
	log *slog.Logger
	now func() time.Time

	mu   sync.Mutex
	last time.Time // guarded by mu
}

// Handle implements otel.ErrorHandler.
func (f *failures) Handle(err error) {
	f.mu.Lock()
	now := f.now()
	due := f.last.IsZero() || now.Sub(f.last) >= time.Minute
	if due {
		f.last = now
	}
	f.mu.Unlock()
	if due && !errors.Is(err, context.Canceled) {
		f.log.Warn("traces cannot be sent and are lost; requests are not affected", slog.Any("error", err))
	}
}
