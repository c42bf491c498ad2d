package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

var (
	bucketMeta      = []byte("meta")
	bucketClients   = []byte("clients")
	bucketUsers     = []byte("users")
	bucketUsernames = []byte("usernames")
	bucketSessions  = []byte("sessions")
	bucketKeyring   = []byte("keyring")
	bucketRevoked   = []byte("revoked")
	bucketAudit     = []byte("audit")
	bucketThrottle  = []byte("throttle")

	buckets = [][]byte{bucketMeta, bucketClients, bucketUsers, bucketUsernames, bucketSessions,
		bucketKeyring, bucketRevoked, bucketAudit, bucketThrottle}

	keySchema  = []byte("schema")
	keyInstall = []byte("install")
	keyProbe   = []byte("probe")
	keyCurrent = []byte("current")
)

// createFile makes an empty store. Two that create at once make one.
func createFile(path string) error {
	_, err := makeFile(path, initialise)
	return err
}

// makeFile has a complete store made under another name and then gives it its own, so that a crash
// half-way leaves nothing at path. It reports whether the file at path is the one it made.
func makeFile(path string, fill func(path string) error) (made bool, err error) {
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

func initialise(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keySchema, binary.BigEndian.AppendUint64(nil, Schema))
	})
	return errors.Join(err, db.Close())
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
