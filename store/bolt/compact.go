package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"signet/store/seal"
)

// compactFill is how full the pages of a compacted file are: some room saves the first new records from
// splitting every page.
const compactFill = 0.9

// Compacted is what Compact did.
type Compacted struct {
	Before, After int64 // bytes of the file
}

// Compact rewrites the file at path without its free pages, in the order of keys. The store must not be
// open anywhere: the error wraps store.ErrLocked then. The new file has the mode and owner of the old one
// and takes its name in one step, so that a crash leaves one or the other, whole.
func Compact(ctx context.Context, path string, seals *seal.Keys) (c Compacted, err error) {
	if err := prepare(path, false); err != nil {
		return c, err
	}
	target, err := filepath.EvalSymlinks(path) // the file itself is replaced, not a link to it
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	db, file, err := openFile(target, false) // not read-only: that lock would let other readers in
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	c.Before = info.Size()
	tmp := target + ".compact"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) { // of one that was killed; we hold the lock
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	defer os.Remove(tmp)
	err = safely(target, func() error {
		return db.View(func(tx *bbolt.Tx) error { return copyCompact(tx, tmp, ctx.Err) })
	})
	if err == nil {
		err = Check(tmp, seals)
	}
	if err != nil {
		return c, fmt.Errorf("compacting the store: %w; nothing was changed", err)
	}
	if c.After, err = replaceFile(tmp, target, info); err != nil {
		return c, fmt.Errorf("compacting the store: %w", err)
	}
	return c, nil
}

// replaceFile gives tmp the mode, owner and name of the file at path, durably, and returns its size.
func replaceFile(tmp, path string, old os.FileInfo) (size int64, err error) {
	if err := os.Chmod(tmp, old.Mode().Perm()); err != nil {
		return 0, err
	}
	if err := sameOwner(tmp, old); err != nil {
		return 0, err
	}
	info, err := os.Stat(tmp)
	if err != nil {
		return 0, err
	}
	if err := os.Rename(tmp, path); err != nil {
		return 0, err
	}
	return info.Size(), syncDir(filepath.Dir(path))
}

// safely turns panics and page faults of a damaged file into an error.
func safely(path string, do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, panicText(p))
		}
	}()
	return do()
}

// copyCompact writes the records of a snapshot into a new file, synced once, at the end. It ends early
// with the error of stop.
func copyCompact(tx *bbolt.Tx, path string, stop func() error) (err error) {
	out, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, FreelistType: bbolt.FreelistMapType, NoStatistics: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	out.AllocSize = growBy
	err = tx.ForEach(func(name []byte, from *bbolt.Bucket) error {
		c := from.Cursor()
		for key, value := c.First(); ; {
			if err := stop(); err != nil {
				return err
			}
			err := out.Update(func(to *bbolt.Tx) error {
				b, err := to.CreateBucketIfNotExists(name)
				if err != nil {
					return err
				}
				b.FillPercent = compactFill
				for n := 0; key != nil && n < importBatch; n++ {
					if err := b.Put(bytes.Clone(key), bytes.Clone(value)); err != nil {
						return err
					}
					key, value = c.Next()
				}
				return nil
			})
			if err != nil || key == nil {
				return err
			}
		}
	})
	if err != nil {
		return err
	}
	return out.Sync()
}
