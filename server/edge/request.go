package edge

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"
)

// Request carries one HTTP request and what handlers learn about it.
type Request struct {
	*http.Request
	ctx     context.Context     // of the work for the request; the http.Request's own ends with its connection
	Writer  http.ResponseWriter // for limits and deadlines only; the response is written by Server.Serve
	ID      string              // X-Request-Id; made here, never taken from the caller
	Begun   time.Time
	Address netip.Addr // of the caller, see Server.CallerAddress; invalid on a Unix socket
	Form    Form       // of a route with Form
	Facts

	// RenderError returns the response to an error of the handler, which sets it; nil: as the route's Surface has it.
	RenderError func(*Error) Response

	origins   []string // of the client that ClientID names
	inSummary bool     // the log has this request in the summary of an outage
}

// Facts are what handlers learn about a request. The access log, the metrics and the audit trail are written
// from them. Set ClientID and what goes with it by SetClient.
type Facts struct {
	ClientID      string // of the client that has authenticated, or whose token was presented
	Confidential  bool   // the client is not a public one, which any caller can pose as
	DefaultClient bool   // the request names no client, and the default one stands in
	GrantType     string // once it is known to be one of ours
	Subject       string
	Username      string // of the user Subject, in canonical form
	TypedName     string // of a login: what was typed, in canonical form if it has one
	SessionID     string
	Generation    uint32 // that a refresh has reached; 0: none
	KeyID         string
	Actor         string // of a request on the admin listener: a client, or "socket"
	Origin        string // of a page that may not ask

	Outcome string // what happened, where success has more than one name
	Cause   error  // why, where the outcome is no error but an operator may ask for the reason

	Changing    string    // type of the audit event of the change that is being made; empty: nothing is changed yet
	Audited     bool      // something of the request is on the audit trail
	RetryBefore time.Time // if a dependency fails, the first retry should come before this; zero: at any time
}

// Context returns the context of the work for the request. It is kept beside the http.Request, because to put it
// there would copy that. The http.Request's own context ends when the caller hangs up.
func (r *Request) Context() context.Context { return r.ctx }

// SetClient records the client of the request. origins are those whose pages may read the response.
func (r *Request) SetClient(id string, confidential bool, origins []string) {
	r.ClientID, r.Confidential, r.origins = id, confidential, origins
}

// WhileCallerWaits returns a context for work that is of no use once the caller has hung up. It ends at the
// hang-up or at the request's deadline, whichever is first.
func (r *Request) WhileCallerWaits() (context.Context, context.CancelFunc) {
	if deadline, ok := r.Context().Deadline(); ok {
		return context.WithDeadline(r.Request.Context(), deadline)
	}
	return context.WithCancel(r.Request.Context())
}

// hungUp reports whether err is only that the caller left before anything was decided.
func (r *Request) hungUp(err error) bool {
	return errors.Is(err, context.Canceled) && r.Request.Context().Err() != nil
}
