package edge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"
)

// Error is the response to a refused request. Description is for the client's developer: what to do next,
// never what exists. Cause is for the operator's log and is never sent.
type Error struct {
	Status      int
	Code        string // for programs
	Description string
	RetryAfter  time.Duration // sent as Retry-After, rounded up to seconds; 0: not sent, except with a 503: see Server.pace
	Challenge   string        // sent as WWW-Authenticate; empty: not sent
	Close       bool          // the connection is of no more use: the response has Connection: close
	Cause       error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.Cause)
	}
	return e.Code + ": " + e.Description
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Reason returns the text for the log: the cause, or the description if there is none.
func (e *Error) Reason() string {
	if e.Cause != nil {
		return e.Cause.Error()
	}
	return e.Description
}

// Because returns a copy of e with the operator's reason.
func (e *Error) Because(format string, args ...any) *Error {
	c := *e
	c.Cause = fmt.Errorf(format, args...)
	return &c
}

// The constructors below make errors of OAuth's endpoints (RFC 6749 §5.2).

// InvalidRequest is a request that is malformed.
func InvalidRequest(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

// Unavailable is a dependency that has failed. Nothing was decided, and a retry may succeed.
func Unavailable(cause error) *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
		Description: "the server cannot answer right now; nothing was lost: send the same request again after Retry-After, with a new client_assertion if it had one", Cause: cause}
}

// Internal is an unexpected error.
func Internal(cause error) *Error {
	return &Error{Status: http.StatusInternalServerError, Code: "server_error",
		Description: "something went wrong here; quote the X-Request-Id header to the operator", Cause: cause}
}

// SlowDown is a caller with too many failed attempts.
func SlowDown(wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Code: "slow_down", RetryAfter: wait,
		Description: "too many failed attempts: wait for Retry-After before the next one"}
}

// errCrowded is the cause of Crowded.
var errCrowded = errors.New("attempts that are under way fill a limit of the throttle")

// Crowded is a caller whose limit of the throttle is filled by attempts that are under way. None of them has
// failed yet. It is asked to come again in a moment, and not all callers at once.
func Crowded() *Error {
	e := Unavailable(errCrowded)
	e.RetryAfter = time.Duration(1+rand.IntN(2)) * time.Second
	return e
}

// panicError is a panic of a handler, kept for the log. Its text and stack never leave the server.
type panicError struct {
	value any
	stack string
}

// Recovered returns what recover returned as an error that is logged with its stack. A goroutine of a handler
// uses it: a panic there would end the process.
func Recovered(p any) error { return &panicError{value: p, stack: string(debug.Stack())} }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// QuoteShort quotes s for a message, cut where it is longer than 100 bytes.
func QuoteShort(s string) string {
	if len(s) > 100 {
		return fmt.Sprintf("%.97q…", s)
	}
	return fmt.Sprintf("%q", s)
}
