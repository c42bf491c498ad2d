package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
)

// errorBody is the JSON of RFC 6749 §5.2.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

var (
	noStore   = []string{"no-store"}
	noCache   = []string{"no-cache"}
	typeJSON  = []string{"application/json"}
	closeConn = []string{"close"}
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// write sends the answer or the error, once, and returns the status it sent and the error, which
// may have come up only now, in a stream.
func (s *Server) write(w http.ResponseWriter, c *call, rt *route, answer reply, err error) (int, error) {
	if err != nil {
		refused := s.pace(c, asOAuthError(err))
		if refused.Close || !rt.form && c.ContentLength != 0 {
			stopReading(w)
		}
		answer = rt.errorReply(refused)
	}
	h := w.Header()
	h["Cache-Control"] = noStore // unless the handler knows better
	h["Pragma"] = noCache
	for name, values := range answer.header {
		h[name] = values
		if name == "Cache-Control" {
			delete(h, "Pragma")
		}
	}
	status := answer.status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case answer.stream != nil:
		return s.writeStream(w, c, rt, answer)
	case answer.raw != nil:
		h["Content-Length"] = []string{strconv.Itoa(len(answer.raw))}
		w.WriteHeader(status)
		w.Write(answer.raw)
	case answer.body != nil:
		writeJSON(w, status, answer.body)
	default:
		if status != http.StatusNoContent && status != http.StatusNotModified {
			h["Content-Length"] = []string{"0"}
		}
		w.WriteHeader(status)
	}
	return status, err
}

// refusedLinger is how long a caller whose body is not wanted may go on sending it. net/http reads
// a little of it, since a client that is still sending would miss its answer on a connection that is
// reset; without a limit of its own that would last for all of readTimeout.
const refusedLinger = time.Second

func stopReading(w http.ResponseWriter) {
	// What cannot set a deadline has no connection to hold.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedLinger))
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		panic(fmt.Sprintf("encoding %T: %v", body, err)) // a bug: every body is a type of ours
	}
	h := w.Header()
	if _, set := h["Content-Type"]; !set {
		h["Content-Type"] = typeJSON
	}
	h["Content-Length"] = []string{strconv.Itoa(buf.Len())}
	w.WriteHeader(status)
	w.Write(buf.Bytes())
}

func (rt *route) errorReply(e *oauthError) reply {
	h := make(http.Header, 3)
	if e.Challenge != "" {
		h.Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", seconds(e.RetryAfter))
	}
	if e.Close {
		h["Connection"] = closeConn
	}
	if rt.errorBody != nil {
		return reply{status: e.Status, header: h, body: rt.errorBody(e)}
	}
	return reply{status: e.Status, header: h, body: errorBody{e.Code, e.Description}}
}

// seconds rounds up, so that a caller who waits as long as told is not told to wait again.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// panicError is a panic of a handler, kept for the log. Its text and stack never leave the server.
type panicError struct {
	value any
	stack string
}

func recovered(p any) error { return &panicError{value: p, stack: string(debug.Stack())} }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
