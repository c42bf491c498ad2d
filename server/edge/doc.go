// Package edge is the HTTP edge of Signet: what stands between net/http and a handler.
//
// A Route is data: its name in logs and metrics, its methods, how long it may take, whether it needs a
// right clock, which pages may read its answers, and its handler. Server.Serve runs one matched route:
// security headers first, then the checks of the route, then the handler, then exactly one response, one
// line in the access log and one count in the metrics, whatever happened.
//
// A handler takes a *Request and returns a Response or an error. It never writes to the connection. What
// it learns about the request on the way it puts into Request.Facts, for the log, the metrics and the audit
// trail. An *Error is answered as it stands. Any other error is worded by the Surface of the route.
//
// The package has nothing of Signet's below it but the limiter of log lines. Clients, the store and the
// keys come in as functions of Config.
//
// # Reading
//
// form.go parses strictly: one spelling, every parameter once, nothing from the query. What two readers
// could understand in two ways is refused. What could be read in two ways on the connection (ambiguous) is
// answered once, and its connection closed.
//
// # Failures of a dependency
//
// A failure of something that Signet depends on is 503 with Retry-After, which grows with the outage and is
// spread (outage.go). The log has a few lines about an outage, and not one for each request.
package edge
