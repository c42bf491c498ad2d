// Package tracing sends OpenTelemetry traces of requests and of their round trips to Redis.
//
// The standard variables configure it (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES …). Traces are off
// unless one of them names where they go. Then nothing of this package runs, and requests cost what they did.
//
// A span has what the access log has: the endpoint, the outcome, ids of the client, the user and the session, the address of
// the caller. It never has a path, a query, a header, a form, or a command of Redis, all of which can hold secrets. A round trip to
// Redis has the name of what was done.
//
// A trace goes on with the caller's traceparent (W3C Trace Context) only if the request comes from a trusted proxy or over a Unix
// socket. Anybody else begins a new trace: strangers must not choose what is sampled, or add to the traces of others.
package tracing
