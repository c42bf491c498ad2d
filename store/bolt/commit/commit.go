package commit

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

// writeBehind is how long what is written behind (counts, audit events) may stay in memory.
const writeBehind = time.Second

// run is the committer.
func (db *DB) run() {
	debug.SetPanicOnFault(true) // for this goroutine: a page fault becomes a panic, see apply
	var behind <-chan time.Time
	for {
		due := false
		select {
		case <-db.queue.wake:
		case <-behind:
			behind, due = nil, true
		case <-db.queue.later:
			if behind == nil {
				behind = time.After(writeBehind)
			}
			continue
		}
		b, closed := db.queue.take()
		db.write(b, due || closed || b.flush)
		if closed {
			return
		}
	}
}

// write applies a batch, without the requests that spoil it, and returns their results to the writers. The error of a commit
// also replaces a refusal: what a request was refused for may have been a neighbour's work.
func (db *DB) write(b *batch, flush bool) {
	defer close(b.done)
	live := b.requests[:0:0]
	for _, r := range b.requests {
		if r.state.CompareAndSwap(waiting, taken) {
			live = append(live, r)
		}
	}
	for {
		spoilt, err := db.attempt(live, flush)
		if spoilt != nil {
			live = slices.DeleteFunc(live, func(r *request) bool { return r == spoilt })
			continue
		}
		for _, r := range live {
			if err != nil {
				r.err = err
			}
		}
		return
	}
}

// attempt runs one transaction. A request that fails before it wrote anything is simply left with
// its error; one that fails later has spoilt the transaction, which is undone and to be tried
// again without it.
func (db *DB) attempt(live []*request, flush bool) (spoilt *request, err error) {
	if err := db.broken(); err != nil {
		return nil, db.Unavailable("writing", err)
	}
	if err := db.InPlace(); err != nil {
		return nil, db.failed(err)
	}
	var tx *bbolt.Tx
	err = db.guard(func() (err error) {
		tx, err = db.File.DB.Begin(true)
		return err
	})
	if err != nil {
		return nil, db.failed(err)
	}
	t := &layout.Tx{Tx: tx, Seals: db.Seals, Format: db.Format(), Now: db.Now(), MaxLogouts: db.MaxLogouts}
	for _, r := range live {
		before := t.Writes
		if r.err = db.apply(t, r.apply); r.err != nil && t.Writes != before {
			return r, db.undo(tx)
		}
	}
	flushed := func() {}
	if flush {
		if flushed, err = db.flush(t); err != nil {
			return nil, errors.Join(db.failed(err), db.undo(tx))
		}
	}
	if t.Writes == 0 {
		return nil, db.undo(tx)
	}
	if err := db.guard(func() error { return db.commit(tx) }); err != nil {
		return nil, db.failed(err)
	}
	if err := db.InPlace(); err != nil { // it went while this was synced
		return nil, db.failed(err)
	}
	flushed()
	db.committed(nil, db.Now())
	return nil, nil
}

// apply shields the batch from a request that panics.
func (db *DB) apply(t *layout.Tx, apply func(*layout.Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.Writes++ // it may have written
			err = db.Unavailable("writing", fmt.Errorf("panic: %v", p))
		}
		err = db.unreadable(err)
	}()
	return apply(t)
}

// flush adds what is written behind. The function it returns is called once that is committed.
func (db *DB) flush(t *layout.Tx) (committed func(), err error) {
	var all []func()
	err = db.apply(t, func(t *layout.Tx) error {
		for _, b := range db.behind {
			committed, err := b.Flush(t)
			if err != nil {
				return err
			}
			all = append(all, committed)
		}
		return nil
	})
	return func() {
		for _, committed := range all {
			committed()
		}
	}, err
}

func (db *DB) commit(tx *bbolt.Tx) error {
	if commit := db.Commit.Load(); commit != nil {
		return (*commit)(tx)
	}
	return tx.Commit()
}

func (db *DB) undo(tx *bbolt.Tx) error { return db.guard(tx.Rollback) }

// guard runs a step after which bbolt's own state is in doubt if it panics: then nothing is
// written any more until the store is opened again, which checks the file.
func (db *DB) guard(step func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = file.Panicked(db.File.Path, p)
			db.fatal.Store(&err)
		}
	}()
	return step()
}

// failed notes a failed commit for Ping and names it for its writers.
func (db *DB) failed(cause error) error {
	err := db.Unavailable("writing", cause)
	db.committed(err, db.Now())
	db.Later()
	return err
}
