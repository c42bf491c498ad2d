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

// createFile makes a complete store under another name and then gives it its own, so that a crash
// half-way leaves nothing at path, and two that create at once make one.
func createFile(path string) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("creating the store in %s: %w", dir, err)
	}
	defer os.Remove(tmp.Name())
	tmp.Close()
	if err := initialise(tmp.Name()); err != nil {
		return fmt.Errorf("creating the store %s: %w", path, err)
	}
	if err := publish(tmp.Name(), path); err != nil {
		return fmt.Errorf("creating the store %s: %w", path, err)
	}
	return syncDir(dir)
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

// publish names the finished file, never over one that another process has put there meanwhile.
func publish(tmp, path string) error {
	err := os.Link(tmp, path)
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	default: // a file system without hard links
		return os.Rename(tmp, path)
	}
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
