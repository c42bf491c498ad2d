package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"

	"signet/store/bolt/file"
	"signet/store/bolt/layout"
	"signet/store/seal"
)

// Compacted is what Compact did.
type Compacted struct {
	Before, After int64 // bytes of the file
}

// Compact rewrites the file at path without its free pages, in the order of keys. The store must not be
// open anywhere: the error wraps store.ErrLocked then. The new file has the mode and owner of the old one
// and takes its name in one step, so that a crash leaves one or the other, whole.
func Compact(ctx context.Context, path string, seals *seal.Keys) (c Compacted, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("there is no store at %s: %w", path, err)
	}
	target, err := filepath.EvalSymlinks(path) // the file itself is replaced, not a link to it
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	f, err := file.Open(target, false) // not read-only: that lock would let other readers in
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, f.DB.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	c.Before = info.Size()
	tmp := target + ".compact"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed; we hold the lock
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	defer os.Remove(tmp)
	err = file.Safely(target, func() error {
		return f.DB.View(func(tx *bbolt.Tx) error { return file.Copy(tx, tmp, ctx.Err) })
	})
	if err == nil {
		err = Check(tmp, seals)
	}
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w; nothing was changed", err)
	}
	if c.After, err = file.Replace(tmp, target, info); err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	return c, nil
}

// Check reads all of the file at path and returns what is wrong with it, or nil. The
// store must not be open; Check changes nothing. Records with a seal need the seals.
func Check(path string, seals *seal.Keys) (err error) {
	f, err := file.Open(path, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.DB.Close()) }()
	return f.DB.View(func(tx *bbolt.Tx) error {
		err := file.Safely(path, func() error { return checkRecords(&layout.Tx{Tx: tx, Seals: seals}, path) })
		if err == nil {
			err = file.Structure(tx, path)
		}
		return err
	})
}

func checkRecords(tx *layout.Tx, path string) error {
	if _, err := layout.CheckLayout(tx, path); err != nil {
		return err
	}
	if _, err := layout.Check(func(read func(tx *layout.Tx) error) error { return read(tx) }); err != nil {
		return &file.DamagedError{Path: path, How: err}
	}
	return nil
}
