package edge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Response is what a handler answers. Without Body, Raw and Stream the body is empty.
type Response struct {
	Status int // 0: 200
	Header http.Header
	Body   any                             // written as JSON
	Raw    []byte                          // written as it is, instead of Body
	Stream func(http.ResponseWriter) error // writes what is too large to hold, instead of Body; see Server.writeStream
}

// JSON is the media type of a Body.
const JSON = "application/json"

// errorBody is the JSON of RFC 6749 §5.2.
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

var (
	noStore   = []string{"no-store"}
	noCache   = []string{"no-cache"}
	typeJSON  = []string{JSON}
	closeConn = []string{"close"}
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// writeResponse sends the response or the error, once. It returns the status that it sent and the error,
// which may have come up only now, in a stream.
func (s *Server) writeResponse(w http.ResponseWriter, r *Request, rt *Route, answer Response, err error) (int, error) {
	if err != nil {
		refused := s.pace(r, rt.Surface.Error(err))
		if refused.Close || !rt.Form && r.ContentLength != 0 {
			stopReading(w)
		}
		answer = rt.errorResponse(r, refused)
	}
	h := w.Header()
	h["Cache-Control"] = noStore // unless the handler has set its own
	h["Pragma"] = noCache
	for name, values := range answer.Header {
		h[name] = values
		if name == "Cache-Control" {
			delete(h, "Pragma")
		}
	}
	status := answer.Status
	if status == 0 {
		status = http.StatusOK
	}
	switch {
	case answer.Stream != nil:
		return s.writeStream(w, r, rt, answer)
	case answer.Raw != nil:
		h["Content-Length"] = []string{strconv.Itoa(len(answer.Raw))}
		w.WriteHeader(status)
		w.Write(answer.Raw)
	case answer.Body != nil:
		writeJSON(w, status, answer.Body)
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

func (rt *Route) errorResponse(r *Request, e *Error) Response {
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
	switch {
	case r.RenderError != nil:
		return withHeaders(r.RenderError(e), h)
	case rt.Surface.RenderError != nil:
		return withHeaders(rt.Surface.RenderError(r, e), h)
	case rt.Surface.Body != nil:
		return Response{Status: e.Status, Header: h, Body: rt.Surface.Body(e)}
	}
	return Response{Status: e.Status, Header: h, Body: errorBody{e.Code, e.Description}}
}

// withHeaders adds headers to those of a response.
func withHeaders(answer Response, more http.Header) Response {
	if answer.Header == nil {
		answer.Header = more
		return answer
	}
	maps.Copy(answer.Header, more)
	return answer
}

// seconds rounds up, so that a caller who waits that long is not refused again.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}
