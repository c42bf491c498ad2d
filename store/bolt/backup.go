package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"signet/store/bolt/commit"
	"signet/store/bolt/file"
	"signet/store/bolt/layout"
)

// Flush commits what is kept in memory to be written behind, and now with it. A copy that is made
// after it is complete up to then, and CopiedAt returns that time.
func (s *Store) Flush(ctx context.Context, now time.Time) error {
	return s.db.Flush(ctx, func(tx *layout.Tx) error { return layout.PutTime(tx, layout.Meta, layout.KeyCopied, now) })
}

// CopiedAt is the time of the last Flush. It is zero where there was none: in a copy that an earlier
// version has made. In a store that has worked on after a backup it is that of the backup.
func (s *Store) CopiedAt(ctx context.Context) (at time.Time, err error) {
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		at, err = layout.ReadTime(tx, layout.Meta, layout.KeyCopied, tx.Raw(layout.Meta, layout.KeyCopied))
		return err
	})
	return at, err
}

// Backup writes a copy of the store as it is committed at this moment, a file that Open can open, and
// returns its size. Reading and writing go on meanwhile. The copy is compact: it is made in a file beside
// the store first, so a slow reader of it does not keep a snapshot open, which would make the store grow.
// Where there is no space for that file the store is copied as it lies, free pages included.
func (s *Store) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	if err := s.db.InPlace(); err != nil {
		return 0, s.db.Unavailable("backing up", err)
	}
	guarded := &guardedWriter{ctx: ctx, db: s.db, w: w}
	spool, err := s.spool(ctx)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		s.db.Log.Warn("there is no space to make a compact backup: copying the file as it is", slog.Any("error", err))
		err = s.db.View(ctx, func(tx *layout.Tx) error {
			n, err = tx.Tx.WriteTo(guarded)
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
	made, err := os.CreateTemp(filepath.Dir(s.db.File.Path), filepath.Base(s.db.File.Path)+spoolSuffix+"*") // mode 0600
	if err != nil {
		return nil, s.db.Unavailable("making a copy of", err)
	}
	defer os.Remove(made.Name())
	made.Close()
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		return file.Copy(tx.Tx, made.Name(), func() error { return s.db.Usable(ctx) })
	})
	if err != nil {
		return nil, err
	}
	return os.Open(made.Name())
}

// clearSpools removes what backups of a process that was killed have left. The store is locked, so no other process makes
// one.
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
	ctx context.Context
	db  *commit.DB
	w   io.Writer
	err error
}

func (g *guardedWriter) Write(p []byte) (n int, err error) {
	if err = g.db.Usable(g.ctx); err == nil {
		n, err = g.w.Write(p)
	}
	g.err = err
	return n, err
}
