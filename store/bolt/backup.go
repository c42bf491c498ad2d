package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// Backup writes a copy of the store as it is at this moment, a file that Open can open, and returns
// its size. Reading and writing go on meanwhile.
func (s *Store) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	guarded := &guardedWriter{ctx: ctx, store: s, w: w}
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		n, err = tx.WriteTo(guarded)
		return err
	})
	if guarded.err != nil { // bbolt keeps only its text
		err = guarded.err
	}
	if err != nil {
		return n, fmt.Errorf("backing up: %w", err)
	}
	return n, nil
}

// guardedWriter ends a backup whose caller has given up or whose store is being closed.
type guardedWriter struct {
	ctx   context.Context
	store *Store
	w     io.Writer
	err   error
}

func (g *guardedWriter) Write(p []byte) (n int, err error) {
	if err = g.store.open(g.ctx); err == nil {
		n, err = g.w.Write(p)
	}
	g.err = err
	return n, err
}

// Check reads all of the file at path and answers what is wrong with its structure, or nil. The
// store must not be open; Check changes nothing.
func Check(path string) (err error) {
	if err := prepare(path, false); err != nil {
		return err
	}
	db, _, err := openFile(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return db.View(func(tx *bbolt.Tx) error { return checkPages(tx, path) })
}
