package server

import (
	"context"
	"io"
	"net/http"
)

// backupper is a store that can write a copy of itself while it goes on working.
type backupper interface {
	// Backup writes a copy as it is at one moment and returns its size.
	Backup(ctx context.Context, w io.Writer) (int64, error)
}

// adminBackup streams a copy of the store. Signing keys in it are sealed; password hashes are not.
// An answer that breaks off is no backup: the connection is then cut, so that nobody takes it for one.
func (s *Server) adminBackup(c *call) (reply, error) {
	from, ok := s.store.(backupper)
	if !ok {
		return reply{}, &oauthError{Status: http.StatusNotImplemented, Code: "unsupported",
			Description: "this store is backed up with its own tools; signet export makes a copy that any store can import"}
	}
	s.did(c, event{Type: "backup"})
	h := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {`attachment; filename="signet.db"`}}
	return reply{header: h, stream: func(w http.ResponseWriter) error {
		_, err := from.Backup(c.Context(), &steadyWriter{c, w})
		return err
	}}, nil
}

// steadyWriter gives every write its own time.
type steadyWriter struct {
	call *call
	w    io.Writer
}

func (s *steadyWriter) Write(p []byte) (int, error) {
	s.call.extendDeadlines()
	return s.w.Write(p)
}
