package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// backupper is a store that can write a copy of itself while it goes on working.
type backupper interface {
	// Backup writes a copy as it is at one moment and returns its size.
	Backup(ctx context.Context, w io.Writer) (int64, error)
	// Flush commits what the store has taken and not written yet, and notes now for the copies to come.
	Flush(ctx context.Context, now time.Time) error
}

// settleWithin bounds how long a backup waits for the audit trail.
const settleWithin = 5 * time.Second

// adminBackup streams a copy of the store. Signing keys in it are sealed; password hashes are not.
// An answer that breaks off is no backup: the connection is then cut, so that nobody takes it for one.
func (s *Server) adminBackup(c *call) (reply, error) {
	from, ok := s.store.(backupper)
	if !ok {
		return reply{}, &oauthError{Status: http.StatusNotImplemented, Code: "unsupported",
			Description: "this store is backed up with its own tools; signet export makes a copy that any store can import"}
	}
	h := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {`attachment; filename="signet.db"`}}
	return reply{header: h, stream: func(w http.ResponseWriter) error {
		s.settle(c, from)
		_, err := from.Backup(c.Context(), &steadyWriter{c, w})
		return err
	}}, nil
}

// settle has everything written that has happened, the backup's own event included, before the copy is
// made: otherwise it would lack the last second of the trail and show an earlier moment than it holds.
// A backup without it is better than none.
func (s *Server) settle(c *call, from backupper) {
	ctx, cancel := context.WithTimeout(c.Context(), settleWithin)
	defer cancel()
	arrived, forget := s.trail.expect(c.id)
	defer forget()
	s.did(c, event{Type: "backup"})
	var err error
	select {
	case err = <-arrived:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = from.Flush(ctx, s.now())
	}
	if err != nil {
		s.log.Warn("the backup may lack the newest of the audit trail, which could not be written", slog.Any("error", err))
	}
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
