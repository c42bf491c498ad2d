package edge

import "net/http"

// writeStream lets the response write itself. A failure before the first byte is answered as an error like
// any other. After the first byte Serve cuts the connection.
func (s *Server) writeStream(w http.ResponseWriter, r *Request, rt *Route, answer Response) (int, error) {
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK) // the work would be thrown away
		return http.StatusOK, nil
	}
	begun := &beginWriter{ResponseWriter: w}
	err := answer.run(begun)
	if err == nil || begun.begun {
		return http.StatusOK, err
	}
	for name := range answer.Header {
		w.Header().Del(name)
	}
	return s.writeResponse(w, r, rt, Response{}, err)
}

// run is the stream, with a panic of it as an error.
func (answer Response) run(w http.ResponseWriter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Recovered(p)
		}
	}()
	return answer.Stream(w)
}

// beginWriter records whether anything was written.
type beginWriter struct {
	http.ResponseWriter
	begun bool
}

func (b *beginWriter) WriteHeader(status int) {
	b.begun = true
	b.ResponseWriter.WriteHeader(status)
}

func (b *beginWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // net/http would send the headers
	}
	b.begun = true
	return b.ResponseWriter.Write(p)
}
