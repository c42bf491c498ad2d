package commit

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/codec"
	"signet/store/seal"
)

// probeEvery is how often Ping may try to write after a write has failed.
const probeEvery = time.Second

// health remembers how the last commit went, and damage that was met.
type health struct {
	file *file.File
	log  *slog.Logger

	mu    sync.Mutex
	last  error     // of the last commit; nil when it went well
	tried time.Time // when that was

	fatal   atomic.Pointer[error] // bbolt's state is in doubt: no commit is tried again
	found   atomic.Pointer[error] // damage
	moved   atomic.Bool           // the path did not lead to the open file at the last look
	trusted atomic.Bool           // the master keys are known to be right
}

// committed remembers how a commit went.
func (h *health) committed(err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last, h.tried = err, now
}

// due returns the last failure and whether it is time to try again.
func (h *health) due(now time.Time) (last error, probe bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil || now.Sub(h.tried) < probeEvery {
		return h.last, false
	}
	h.tried = now
	return h.last, true
}

func errorOf(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

// broken returns the panic of bbolt after which nothing is written any more.
func (h *health) broken() error { return errorOf(&h.fatal) }

// Damage returns what was found damaged first, or nil.
func (h *health) Damage() error { return errorOf(&h.found) }

// InPlace is file.InPlace. The first look that finds the file gone is one line in the log, and so is the one that finds it
// again.
func (h *health) InPlace() error {
	err := h.file.InPlace()
	if moved := err != nil; h.moved.Swap(moved) != moved {
		if moved {
			h.log.Error("the store's file is not in its place: nothing is written until it is back", slog.Any("error", err))
		} else {
			h.log.Info("the store's file is back in its place", slog.String("path", h.file.Path))
		}
	}
	return err
}

// Unavailable returns a store.ErrUnavailable with what was being done, the file and the cause.
func (h *health) Unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s %s: %w", store.ErrUnavailable, doing, h.file.Path, err)
}

// NoteUnreadable notes the damage where err is about a record that cannot be read.
func (h *health) NoteUnreadable(err error) { _ = h.unreadable(err) }

// unreadable makes sure that a record that cannot be read is ErrUnavailable for the caller, and notes it.
// Other errors stay as they are.
func (h *health) unreadable(err error) error {
	if !errors.Is(err, codec.ErrMalformed) && !errors.Is(err, file.ErrDamaged) && !errors.Is(err, seal.ErrForged) {
		return err
	}
	if !errors.Is(err, store.ErrUnavailable) {
		err = h.Unavailable("reading", err)
	}
	var other *seal.Error
	if errors.As(err, &other) && other.Unknown && !h.trusted.Load() {
		return err // perhaps it is the master key that is wrong
	}
	h.NoteDamage(err)
	return err
}

// TrustKeys declares the seals those of the right master keys: from now on a record that they do not open is damaged.
func (h *health) TrustKeys() { h.trusted.Store(true) }

// NoteDamage keeps err, the first one, for Ping and metrics, and logs it once.
func (h *health) NoteDamage(err error) {
	if h.found.CompareAndSwap(nil, &err) {
		h.log.Error("the store is damaged: stop the server and restore a backup; `signet doctor` reads the whole file and lists what is wrong",
			slog.Any("error", err))
	}
}
