package edge

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Route is one row of a route table.
type Route struct {
	Name       string        // of the endpoint, as logs and metrics have it
	Methods    []string      // nil: all
	Form       bool          // a form body, which is parsed before the handler runs
	Parameters Parameters    // of Form; nil: those of the endpoints for clients
	Timeout    time.Duration // of the handler; 0: none
	Changes    bool          // the handler changes something, so it goes on if the caller hangs up (implied by Form)
	NeedsClock bool          // the response depends on the time: refused while the clock is off
	Light      bool          // answered from memory and changes nothing: it never waits for a place among connections
	CORS       CORS
	Level      slog.Level // at which a good response is logged
	Handle     Handler
	Surface    *Surface // words the errors
}

// Handler answers one request.
type Handler func(*Request) (Response, error)

// Surface is what the routes of one API have in common: how errors are worded and recorded.
type Surface struct {
	// Error returns the response for any error of a handler: an *Error in its chain as it is, any other by
	// what has failed.
	Error func(error) *Error
	// Body returns the JSON of an error; nil: as RFC 6749 §5.2 has it.
	Body func(*Error) any
	// RenderError returns the whole response to an error, such as a page for people; nil: JSON.
	RenderError func(*Request, *Error) Response
	// Refused is called once for each request that was refused, unless its caller has hung up; nil: nothing.
	Refused func(r *Request, rt *Route, refused *Error, err error)
}

// AnswerWithin is the usual Timeout: how long one request may take before its caller is asked to come again.
const AnswerWithin = 10 * time.Second

// Allows reports whether the route takes the method.
func (rt *Route) Allows(method string) bool {
	return rt.Methods == nil || slices.Contains(rt.Methods, method)
}

// allow is the value of the Allow header (RFC 9110 §10.2.1).
func (rt *Route) allow() string {
	methods := rt.Methods
	if rt.CORS != NoCORS {
		methods = append(slices.Clip(methods), http.MethodOptions)
	}
	return strings.Join(methods, ", ")
}
