package server

import "net/http"

// writeStream lets the answer write itself. What fails before the first byte is answered as an
// error like any other; after it only the connection can tell: see serve.
func (s *Server) writeStream(w http.ResponseWriter, c *call, rt *route, answer reply) (int, error) {
	if c.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK) // the work would be thrown away
		return http.StatusOK, nil
	}
	begun := &beginWriter{ResponseWriter: w}
	err := answer.run(begun)
	if err == nil || begun.begun {
		return http.StatusOK, err
	}
	for name := range answer.header {
		w.Header().Del(name)
	}
	return s.write(w, c, rt, reply{}, err)
}

// run is the stream, with a panic of it as an error.
func (r reply) run(w http.ResponseWriter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = recovered(p)
		}
	}()
	return r.stream(w)
}

// beginWriter knows whether anything was written.
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
