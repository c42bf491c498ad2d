package bolt

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"time"
)

// probeEvery is how often Ping may try to write after a write has failed.
const probeEvery = time.Second

// health remembers how the last commit went.
type health struct {
	mu    sync.Mutex
	last  error     // of the last commit; nil when it went well
	tried time.Time // when that was
	fatal error     // bbolt's state is in doubt: no commit is tried again
	moved bool      // the path did not lead to the open file at the last look
}

func (h *health) ok() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = nil
}

func (h *health) fail(err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.tried = err, now
}

func (h *health) breaks(err error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fatal = err
	return err
}

func (h *health) broken() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.fatal
}

// due answers the last failure and whether it is time to try again.
func (h *health) due(now time.Time) (last error, probe bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || now.Sub(h.tried) < probeEvery {
		return h.last, false
	}
	h.tried = now
	return h.last, true
}

// Ping implements store.Store. After a failed write it tries a small one, at most once a second,
// so that a server without traffic also notices that there is space again.
func (s *Store) Ping(ctx context.Context) error {
	if s.closed.Load() {
		return s.unavailable("reading", errClosed)
	}
	if err := s.health.broken(); err != nil {
		return s.unavailable("writing", err)
	}
	if err := s.inPlace(); err != nil {
		return s.unavailable("writing", err)
	}
	if err := s.verified.damage(); err != nil {
		return s.unavailable("reading", err)
	}
	last, probe := s.health.due(s.now())
	if probe {
		last = s.update(ctx, func(t *txn) error {
			now := binary.BigEndian.AppendUint64(nil, uint64(s.now().UnixMilli()))
			return t.put(bucketMeta, keyProbe, now)
		})
	}
	if last != nil {
		return last
	}
	return s.viewContext(ctx, func(tx snapshot) error {
		_, err := checkSchema(tx.Tx, s.file.Path)
		return err
	})
}

// inPlace is file.InPlace. The first look that finds the file gone is one line in the log, and so is the one that finds it
// again.
func (s *Store) inPlace() error {
	err := s.file.InPlace()
	if moved := err != nil; s.health.setMoved(moved) {
		if moved {
			s.log.Error("the store's file is not in its place: nothing is written until it is back", slog.Any("error", err))
		} else {
			s.log.Info("the store's file is back in its place", slog.String("path", s.file.Path))
		}
	}
	return err
}

// setMoved reports whether that is a change.
func (h *health) setMoved(moved bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.moved != moved
	h.moved = moved
	return changed
}
