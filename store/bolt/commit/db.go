package commit

import (
	"context"
	"crypto/rand"
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
	"signet/store/bolt/layout"
	"signet/store/seal"
)

// Config configures Open.
type Config struct {
	Seals      *seal.Keys       // of the records; nil: they have none
	Now        func() time.Time // paces write probes, and dates what waits in the outbox and the queue of logouts; nil means time.Now
	Log        *slog.Logger     // nil discards
	MaxLogouts int              // how many logouts wait at most; 0: store.MaxLogouts
}

// DB is an open file. All methods may be called concurrently.
type DB struct {
	Config
	File *file.File

	// Commit is the step that tests inject faults into; nil means (*bbolt.Tx).Commit.
	Commit atomic.Pointer[func(*bbolt.Tx) error]

	health
	queue  *queue
	behind []Behind
	format atomic.Int32

	running  sync.WaitGroup // the committer, and what Go began
	closed   atomic.Bool
	closing  sync.Once
	closeErr error
}

// Behind keeps in memory what is written behind: no request waits for it.
type Behind interface {
	// Flush writes what is in memory. committed is called when that is durable; where the commit fails it is not, and the
	// next Flush writes it again.
	Flush(tx *layout.Tx) (committed func(), err error)
	// Unwritten reports whether something is in memory only.
	Unwritten() bool
}

// Open opens the file at path. The DB reads, until Start. It is an error where file.Open has one, where the file is damaged
// or where a newer Signet wrote it.
func Open(path string, cfg Config) (*DB, error) {
	f, err := file.Open(path, false)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxLogouts == 0 {
		cfg.MaxLogouts = store.MaxLogouts
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{Config: cfg, File: f, health: health{file: f, log: cfg.Log}, queue: newQueue()}
	err = db.View(context.Background(), func(tx *layout.Tx) error {
		format, err := layout.CheckLayout(tx, path)
		db.SetFormat(format)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, f.DB.Close())
	}
	return db, nil
}

// Start begins to write.
func (db *DB) Start(behind ...Behind) {
	db.behind = behind
	db.Go(db.run)
}

// Go runs do in a goroutine that Close waits for.
func (db *DB) Go(do func()) { db.running.Go(do) }

// Format is the format of the records that are written; all up to layout.Schema are read.
func (db *DB) Format() int { return int(db.format.Load()) }

// SetFormat changes what is written from now on. The caller that raises the format of a store also raises its schema.
func (db *DB) SetFormat(format int) { db.format.Store(int32(format)) }

// Usable returns an error where the DB is closed or the caller has given up.
func (db *DB) Usable(ctx context.Context) error {
	if db.closed.Load() {
		return db.Unavailable("using", errClosed)
	}
	if err := ctx.Err(); err != nil {
		return db.Unavailable("using", err)
	}
	return nil
}

// View runs read in a snapshot of what is committed. A page fault or an assertion of bbolt's, both
// signs of a damaged file or a failing disk, becomes an error of this one call.
func (db *DB) View(ctx context.Context, read func(tx *layout.Tx) error) (err error) {
	if err := db.Usable(ctx); err != nil {
		return err
	}
	tx, err := db.File.DB.Begin(false)
	if err != nil {
		return db.Unavailable("reading", err)
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = db.Unavailable("reading", file.Panicked(db.File.Path, p))
		}
		err = db.unreadable(err)
		tx.Rollback() // a read transaction has nothing to lose; the only error is "already closed"
	}()
	return read(&layout.Tx{Tx: tx, Seals: db.Seals})
}

// Update applies one request as part of a batch and returns when it is durable. The request may be
// applied more than once (only the last time counts) and must not call code that is not ours: the
// whole batch would wait for it.
//
// The events of the context are kept in the same transaction; see store.WithEvent.
func (db *DB) Update(ctx context.Context, apply func(*layout.Tx) error) error {
	if events := store.EventsOf(ctx); len(events) > 0 {
		return db.UpdateWithEvents(ctx, events, apply)
	}
	return db.submit(ctx, &request{apply: apply})
}

// UpdateWithEvents is Update for a change that has audit events: where the change writes something, they are kept in the
// same transaction.
func (db *DB) UpdateWithEvents(ctx context.Context, events []*store.Event, apply func(*layout.Tx) error) error {
	return db.updateKeeping(ctx, events, apply, func(*store.Event) bool { return true })
}

// updateKeeping keeps those of the events that keeps accepts after the change.
func (db *DB) updateKeeping(ctx context.Context, events []*store.Event, apply func(*layout.Tx) error, keeps func(*store.Event) bool) error {
	names, entries := make([]string, len(events)), make([][]byte, len(events))
	for i, e := range events {
		var err error
		if entries[i], err = layout.NewEntry(*e, db.Now()); err != nil {
			return err
		}
		names[i] = rand.Text()
	}
	var kept []int
	err := db.submit(ctx, &request{apply: func(t *layout.Tx) error {
		before := t.Writes
		kept = nil
		if err := apply(t); err != nil || t.Writes == before {
			return err
		}
		for i, e := range events {
			if !keeps(e) {
				continue
			}
			kept = append(kept, i)
			if err := t.Put(layout.Outbox, []byte(names[i]), entries[i]); err != nil {
				return err
			}
		}
		return nil
	}})
	if err == nil {
		for _, i := range kept {
			events[i].Outbox = names[i]
		}
	}
	return err
}

// Ask is Update for a request that has a result. The result is the committer's until the
// request is done: a caller that has gone away does not read it.
func Ask[T any](ctx context.Context, db *DB, apply func(*layout.Tx) (T, error)) (T, error) {
	result := new(T)
	err := db.Update(ctx, func(tx *layout.Tx) (err error) {
		*result, err = apply(tx)
		return err
	})
	if err != nil {
		return *new(T), err
	}
	return *result, nil
}

// AskKeeping is Ask for a change that ends in one of several ways, each with events of its own: keeps picks the events that are
// kept after a result.
func AskKeeping[T any](ctx context.Context, db *DB, apply func(*layout.Tx) (T, error), keeps func(T, *store.Event) bool) (T, error) {
	result := new(T)
	err := db.updateKeeping(ctx, store.EventsOf(ctx), func(tx *layout.Tx) (err error) {
		*result, err = apply(tx)
		return err
	}, func(e *store.Event) bool { return keeps(*result, e) })
	if err != nil {
		return *new(T), err
	}
	return *result, nil
}

// Flush is Update, and commits what is written behind too.
func (db *DB) Flush(ctx context.Context, apply func(*layout.Tx) error) error {
	return db.submit(ctx, &request{flush: true, apply: apply})
}

// Later has what is written behind committed within a second.
func (db *DB) Later() { notify(db.queue.later) }

// Soon has it committed with the next transaction, which begins now.
func (db *DB) Soon() { db.queue.flushNow() }

func (db *DB) submit(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return db.Unavailable("writing", err)
	}
	b, err := db.queue.add(r)
	if err != nil {
		return db.Unavailable("writing", err)
	}
	select {
	case <-b.done:
		return r.err
	case <-ctx.Done():
		r.state.CompareAndSwap(waiting, abandoned)
		return db.Unavailable("writing", ctx.Err())
	}
}

// Ping answers nil where the file can be read and written. After a failed write it tries a small one, at most once a
// second, so that a server without traffic also notices that there is space again.
func (db *DB) Ping(ctx context.Context) error {
	if db.closed.Load() {
		return db.Unavailable("reading", errClosed)
	}
	if err := db.broken(); err != nil {
		return db.Unavailable("writing", err)
	}
	if err := db.InPlace(); err != nil {
		return db.Unavailable("writing", err)
	}
	if err := db.Damage(); err != nil {
		return db.Unavailable("reading", err)
	}
	last, probe := db.due(db.Now())
	if probe {
		last = db.Update(ctx, func(tx *layout.Tx) error { return layout.PutTime(tx, layout.Meta, layout.KeyProbe, db.Now()) })
	}
	if last != nil {
		return last
	}
	return db.View(ctx, func(tx *layout.Tx) error {
		_, err := layout.CheckLayout(tx, db.File.Path)
		return err
	})
}

// Close commits what is queued and what is written behind, and closes the file. It is safe to call twice.
func (db *DB) Close() error {
	db.closing.Do(func() {
		db.closed.Store(true)
		db.queue.close()
		db.running.Wait()
		for _, b := range db.behind {
			if b.Unwritten() && db.closeErr == nil {
				last, _ := db.due(db.Now())
				db.closeErr = fmt.Errorf("audit events and throttle counts were not written: %w", last)
			}
		}
		release := db.File.DB.Close
		if db.broken() != nil {
			release = db.File.Abandon
		}
		db.closeErr = errors.Join(db.closeErr, release())
	})
	return db.closeErr
}
