package admin

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/audit"
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

// flushTimeout bounds how long a backup waits for the audit trail.
const flushTimeout = 5 * time.Second

// backup sends copies of the store, one at a time: each needs as much space as the store.
type backup struct {
	store   store.Store
	audit   *audit.Recorder
	rec     call.Recorder
	log     *slog.Logger
	now     func() time.Time
	asError func(error) *edge.Error

	sending sync.Mutex // held while a copy is made and sent
}

// send streams a copy of the store. Signing keys in it are sealed; password hashes are not. A response that breaks off
// has its connection cut, so that it cannot be taken for a backup.
func (h *backup) send(r *call.Request) (edge.Response, error) {
	from, ok := h.store.(backupper)
	if !ok {
		return edge.Response{}, &edge.Error{Status: http.StatusNotImplemented, Code: api.CodeUnsupported,
			Description: "this store is backed up with its own tools; signet export makes a copy that any store can import"}
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}, "Content-Disposition": {`attachment; filename="signet.db"`}}
	return edge.Response{Header: header, Stream: func(w http.ResponseWriter) error { return h.copy(r, w, from) }}, nil
}

// copy makes the copy and sends it.
func (h *backup) copy(r *call.Request, w http.ResponseWriter, from backupper) error {
	if !h.sending.TryLock() {
		return &edge.Error{Status: http.StatusServiceUnavailable, Code: api.CodeBusy, RetryAfter: backupRetry,
			Description: "another backup is being made or sent; there is one at a time: try again when it is done"}
	}
	defer h.sending.Unlock()
	guard := call.NewGuard(r)
	defer guard.Close()
	h.flush(r, from)
	sender := &backupWriter{guard: guard, w: w}
	n, err := from.Backup(r.Context(), sender)
	err = guard.Cause(err)
	detail := map[string]string{"bytes": strconv.FormatInt(n, 10), "complete": strconv.FormatBool(err == nil)}
	if err != nil {
		detail[store.DetailReason] = h.asError(err).Reason()
	}
	h.rec.OK(r, store.Event{Type: store.EventBackupEnd, At: h.now(), Detail: detail})
	return err
}

// flush has everything written that was recorded, the backup's own event included, before the copy is made. Without it
// the copy would lack the last second of the trail and show an earlier moment than it holds. If it fails the backup goes
// on.
func (h *backup) flush(r *call.Request, from backupper) {
	ctx, cancel := context.WithTimeout(r.Context(), flushTimeout)
	defer cancel()
	arrived, forget := h.audit.Expect(r.ID)
	defer forget()
	h.rec.OK(r, store.Event{Type: store.EventBackup})
	var err error
	select {
	case err = <-arrived:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		err = from.Flush(ctx, h.now())
	}
	if err != nil {
		h.log.Warn("the backup may lack the newest of the audit trail, which could not be written", slog.Any("error", err))
	}
}

// Limits of a backup's reader.
const (
	backupRetry   = 10 * time.Second
	backupGrace   = time.Minute // then it must have kept up with backupMinRate
	backupMinRate = 128 << 10   // bytes a second
)

var errSlowReader = &edge.Error{Status: http.StatusRequestTimeout, Code: api.CodeInvalid, Description: "the backup was read too slowly"}

// backupWriter gives every write its own time, and the whole as much as its bytes take at backupMinRate. A slow reader
// would keep all others from a backup.
type backupWriter struct {
	guard *call.Guard
	w     io.Writer
	begun time.Time // the first write
	sent  int64
}

// Write implements io.Writer.
func (b *backupWriter) Write(p []byte) (int, error) {
	now := time.Now()
	if b.begun.IsZero() {
		b.begun = now
		b.guard.Send()
	}
	if err := b.guard.Extend(); err != nil {
		return 0, err
	}
	if now.Sub(b.begun) > backupGrace+time.Duration(b.sent)*time.Second/backupMinRate {
		return 0, errSlowReader
	}
	n, err := b.w.Write(p)
	b.sent += int64(n)
	return n, err
}
