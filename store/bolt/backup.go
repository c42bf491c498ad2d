package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"signet/store/bolt/file"
	"signet/store/seal"
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
	err = s.viewContext(ctx, func(tx snapshot) error {
		raw, err := tx.record(bucketMeta, keyCopied)
		if err != nil {
			return err
		}
		switch len(raw) {
		case 0:
		case 8:
			at = time.UnixMilli(int64(binary.BigEndian.Uint64(raw))).UTC()
		default:
			return file.Damaged(s.file.Path, "the time of its backup is unreadable")
		}
		return nil
	})
	return at, err
}

// Backup writes a copy of the store as it is committed at this moment, a file that Open can open, and
// returns its size. Reading and writing go on meanwhile. The copy is compact: it is made in a file beside
// the store first, so a slow reader of it does not keep a snapshot open, which would make the store grow.
// Where there is no space for that file the store is copied as it lies, free pages included.
func (s *Store) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	if err := s.inPlace(); err != nil {
		return 0, s.unavailable("backing up", err)
	}
	guarded := &guardedWriter{ctx: ctx, store: s, w: w}
	spool, err := s.spool(ctx)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		s.log.Warn("there is no space to make a compact backup: copying the file as it is", slog.Any("error", err))
		err = s.viewContext(ctx, func(tx snapshot) error {
			n, err = tx.WriteTo(guarded)
			return err
		})
	case err == nil:
		n, err = io.Copy(guarded, spool)
		spool.Close()
	}
	if guarded.err != nil { // bbolt keeps only its text
		err = guarded.err
	}
	if err != nil {
		return n, fmt.Errorf("backing up: %w", err)
	}
	return n, nil
}

// spoolSuffix is in the name of the file that a backup is made in.
const spoolSuffix = ".backup-"

// spool makes a compact copy of this moment in a file that has no name any more.
func (s *Store) spool(ctx context.Context) (*os.File, error) {
	made, err := os.CreateTemp(filepath.Dir(s.file.Path), filepath.Base(s.file.Path)+spoolSuffix+"*") // mode 0600
	if err != nil {
		return nil, s.unavailable("making a copy of", err)
	}
	defer os.Remove(made.Name())
	made.Close()
	err = s.viewContext(ctx, func(tx snapshot) error {
		return file.Copy(tx.Tx, made.Name(), func() error { return s.open(ctx) })
	})
	if err != nil {
		return nil, err
	}
	return os.Open(made.Name())
}

// clearSpools removes what backups of a process that was killed have left. The store is locked: nobody
// else makes one.
func clearSpools(path string) {
	left, _ := filepath.Glob(globQuote(path) + spoolSuffix + "*") // the only error is a bad pattern
	for _, name := range left {
		os.Remove(name)
	}
}

// globQuote makes a pattern that matches the path alone.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
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
// store must not be open; Check changes nothing. Records with a seal need the seals.
func Check(path string, seals *seal.Keys) (err error) {
	f, err := file.Open(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.DB.Close()) }()
	return f.DB.View(func(tx *bbolt.Tx) error {
		err := file.Safely(path, func() error { return checkRecords(snapshot{tx, seals}, path) })
		if err == nil {
			err = file.Structure(tx, path)
		}
		return err
	})
}
