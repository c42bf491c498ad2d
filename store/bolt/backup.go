package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// Flush commits what is kept in memory to be written behind, and now with it. A copy that is made
// after it is complete up to then, and CopiedAt tells so.
func (s *Store) Flush(ctx context.Context, now time.Time) error {
	at := binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
	return s.submit(ctx, &request{flush: true, apply: func(t *txn) error { return t.put(bucketMeta, keyCopied, at) }})
}

// CopiedAt is the time of the last Flush. It is zero where there was none: in a copy that an earlier
// version has made. In a store that has worked on after a backup it is that of the backup.
func (s *Store) CopiedAt(ctx context.Context) (at time.Time, err error) {
	err = s.viewContext(ctx, func(tx *bbolt.Tx) error {
		raw := tx.Bucket(bucketMeta).Get(keyCopied)
		switch len(raw) {
		case 0:
		case 8:
			at = time.UnixMilli(int64(binary.BigEndian.Uint64(raw))).UTC()
		default:
			return damaged(s.path, "the time of its backup is unreadable")
		}
		return nil
	})
	return at, err
}

// Backup writes a copy of the store as it is committed at this moment, a file that Open can open, and
// returns its size. Reading and writing go on meanwhile.
func (s *Store) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	if err := s.inPlace(); err != nil {
		return 0, s.unavailable("backing up", err)
	}
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
