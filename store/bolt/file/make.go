package file

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// Make has a whole store made under another name and then gives it its own, so that a crash half-way leaves nothing at path.
// It reports whether the file at path is the one it made: two that make one at once make one.
func Make(path string, fill func(path string) error) (made bool, err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return false, fmt.Errorf("creating the store in %s: %w", dir, err)
	}
	defer os.Remove(tmp.Name())
	tmp.Close()
	if err := fill(tmp.Name()); err != nil {
		return false, fmt.Errorf("creating the store %s: %w", path, err)
	}
	made, err = publish(tmp.Name(), path)
	if err != nil {
		return false, fmt.Errorf("creating the store %s: %w", path, err)
	}
	return made, syncDir(dir)
}

// publish names the finished file, never over one that another process has put there meanwhile, and
// reports whether it did.
func publish(tmp, path string) (named bool, err error) {
	err = os.Link(tmp, path)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrExist):
		return false, nil
	}
	// A file system without hard links. Between the look and the renaming another may still come.
	if _, err := os.Lstat(path); err == nil {
		return false, nil
	}
	if err := os.Rename(tmp, path); err != nil {
		return false, err
	}
	return true, nil
}

// syncDir makes the name itself durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}

// Replace gives tmp the mode, owner and name of the file at path, durably, and returns its size.
func Replace(tmp, path string, old os.FileInfo) (size int64, err error) {
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

const (
	copyBatch = 4096 // records that Copy writes in one transaction

	// copyFill is how full the pages of a copy are: some room saves the first new records from splitting every page.
	copyFill = 0.9
)

// Copy writes the records of a snapshot into a new file, in the order of their keys and without free pages. The file is
// synced once, at the end. The error of stop ends it early.
func Copy(tx *bbolt.Tx, path string, stop func() error) (err error) {
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
				b.FillPercent = copyFill
				for n := 0; key != nil && n < copyBatch; n++ {
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
