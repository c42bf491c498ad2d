package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
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
func (s *Server) adminBackup(c *adminRequest) (edge.Response, error) {
	from, ok := s.store.(backupper)
	if !ok {
		return edge.Response{}, &edge.Error{Status: http.StatusNotImplemented, Code: api.CodeUnsupported,
			Description: "this store is backed up with its own tools; signet export makes a copy that any store can import"}
	}
	h := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {`attachment; filename="signet.db"`}}
	return edge.Response{Header: h, Stream: func(w http.ResponseWriter) error { return s.sendBackup(c, w, from) }}, nil
}

// sendBackup makes the copy and sends it. There is one at a time: each needs as much space as the store.
func (s *Server) sendBackup(c *adminRequest, w http.ResponseWriter, from backupper) error {
	if !s.backingUp.TryLock() {
		return &edge.Error{Status: http.StatusServiceUnavailable, Code: api.CodeBusy, RetryAfter: backupRetry,
			Description: "another backup is being made or sent; there is one at a time: try again after Retry-After"}
	}
	defer s.backingUp.Unlock()
	guard := guardStream(c)
	defer guard.close()
	s.settle(c, from)
	sender := &backupWriter{guard: guard, w: w}
	n, err := from.Backup(c.Context(), sender)
	err = guard.cause(err)
	detail := map[string]string{"bytes": strconv.FormatInt(n, 10), "complete": strconv.FormatBool(err == nil)}
	if err != nil {
		detail[store.DetailReason] = asError(err).Reason()
	}
	s.did(c, store.Event{Type: store.EventBackupEnd, At: s.now(), Detail: detail})
	return err
}

// settle has everything written that has happened, the backup's own event included, before the copy is
// made: otherwise it would lack the last second of the trail and show an earlier moment than it holds.
// A backup without it is better than none.
func (s *Server) settle(c *adminRequest, from backupper) {
	ctx, cancel := context.WithTimeout(c.Context(), settleWithin)
	defer cancel()
	arrived, forget := s.audit.Expect(c.ID)
	defer forget()
	s.did(c, store.Event{Type: store.EventBackup})
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

// Limits of a backup's reader.
const (
	backupRetry   = 10 * time.Second
	backupGrace   = time.Minute // then it must have kept up with backupMinRate
	backupMinRate = 128 << 10   // bytes a second
)

var errSlowReader = &edge.Error{Status: http.StatusRequestTimeout, Code: api.CodeInvalid, Description: "the backup was read too slowly"}

// backupWriter gives every write its own time, and the whole as much as its bytes take at backupMinRate: a reader that
// keeps it waiting keeps everybody else from a backup.
type backupWriter struct {
	guard *streamGuard
	w     io.Writer
	begun time.Time // the first write
	sent  int64
}

// Write implements io.Writer.
func (b *backupWriter) Write(p []byte) (int, error) {
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
		b.guard.send()
	}
	if err := b.guard.extend(); err != nil {
		return 0, err
	}
	if now.Sub(b.begun) > backupGrace+time.Duration(b.sent)*time.Second/backupMinRate {
		return 0, errSlowReader
	}
	n, err := b.w.Write(p)
	b.sent += int64(n)
	return n, err
}
