package bolt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/seal"
)

// Store is a store.Store in one file. All methods may be called concurrently.
type Store struct {
	file  *file.File
	now   func() time.Time
	seals *seal.Keys // nil: records have none
	log   *slog.Logger

	queue    queue
	health   health
	audit    trail
	throttle counts
	beats    heartbeats
	sweeper  sweeper
	verified verification

	clientChanges atomic.Uint64
	format        atomic.Int32 // of the records that are written

	running  sync.WaitGroup // the committer, and the check that Verify begins
	closed   atomic.Bool
	closing  sync.Once
	closeErr error

	// commit is the step that faults are injected into by tests; otherwise (*bbolt.Tx).Commit.
	commit atomic.Pointer[func(*bbolt.Tx) error]
}

func newStore(f *file.File, opt Options) *Store {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{file: f, now: opt.Now, log: opt.Log, seals: opt.Seals}
	s.format.Store(Schema)
	s.queue.init()
	s.audit.keep = store.ShareRetention(opt.AuditEvents, opt.Retention)
	s.throttle.init()
	s.beats.last = map[string]beat{}
	return s
}

// Format is the format of the records that this store writes; it reads all up to Schema.
func (s *Store) Format() int { return int(s.format.Load()) }

// SetFormat changes what is written from now on. Whoever raises the format of a store sees to it that
// its schema is raised as well.
func (s *Store) SetFormat(format int) { s.format.Store(int32(format)) }

// view runs read in a snapshot of what is committed. A page fault or an assertion of bbolt's, both
// signs of a damaged file or a failing disk, becomes an error of this one call.
func (s *Store) view(read func(tx snapshot) error) (err error) {
	tx, err := s.file.DB.Begin(false)
	if err != nil {
		return s.unavailable("reading", err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = s.unavailable("reading", file.Panicked(s.file.Path, p))
		}
		err = s.unreadable(err)
		tx.Rollback() // a read transaction has nothing to lose; the only error is "already closed"
	}()
	return read(snapshot{tx, s.seals})
}

// viewContext is view for a caller that may have given up already.
func (s *Store) viewContext(ctx context.Context, read func(tx snapshot) error) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	return s.view(read)
}

func (s *Store) unavailable(doing string, err error) error {
	return fmt.Errorf("%w: %s %s: %w", store.ErrUnavailable, doing, s.file.Path, err)
}

// release closes the file. Where bbolt has panicked it may never give its own locks back; then the
// file is let go without it.
func (s *Store) release() error {
	if s.health.broken() == nil {
		return s.file.DB.Close()
	}
	return s.file.Abandon()
}

// left says what could not be written behind before the end.
func (s *Store) left() error {
	if len(s.audit.waiting()) == 0 && !s.throttle.unwritten() {
		return nil
	}
	last, _ := s.health.due(s.now())
	return fmt.Errorf("audit events and throttle counts were not written: %w", last)
}

// Close implements store.Store: what is queued or written behind is committed first.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.closed.Store(true)
		s.queue.close()
		s.running.Wait()
		s.closeErr = errors.Join(s.left(), s.release())
	})
	return s.closeErr
}
