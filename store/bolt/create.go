package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
)

var (
	bucketMeta       = []byte("meta")
	bucketClients    = []byte("clients")
	bucketUsers      = []byte("users")
	bucketUsernames  = []byte("usernames")
	bucketSessions   = []byte("sessions")
	bucketKeyring    = []byte("keyring")
	bucketRevoked    = []byte("revoked")
	bucketAudit      = []byte("audit")
	bucketThrottle   = []byte("throttle")
	bucketAssertions = []byte("assertions")
	bucketNetworks   = []byte("networks")
	bucketAuditRings = []byte("audit_rings")
	bucketOutbox     = []byte("outbox")

	buckets = [][]byte{bucketMeta, bucketClients, bucketUsers, bucketUsernames, bucketSessions,
		bucketKeyring, bucketRevoked, bucketAudit, bucketThrottle}

	// laterBuckets are not in every file of this schema: Open makes those that are missing. A Signet
	// that does not know them passes them over, so a file with them may still be opened by it.
	laterBuckets = [][]byte{bucketAssertions, bucketAuditRings, bucketNetworks, bucketOutbox}

	keySchema  = []byte("schema")
	keyInstall = []byte("install")
	keyEpoch   = []byte("client epoch")
	keyProbe   = []byte("probe")
	keyCopied  = []byte("copied")
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
		for _, name := range slices.Concat(buckets, laterBuckets) {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keySchema, binary.BigEndian.AppendUint64(nil, Schema))
	})
	return errors.Join(err, db.Close())
}

// addBuckets makes the buckets that an earlier version has not made.
func (s *Store) addBuckets() error {
	var missing [][]byte
	err := s.view(func(tx snapshot) error {
		missing = slices.DeleteFunc(slices.Clone(laterBuckets), func(name []byte) bool { return tx.Bucket(name) != nil })
		return nil
	})
	if err != nil || len(missing) == 0 {
		return err
	}
	return s.update(context.Background(), func(t *txn) error {
		for _, name := range missing {
			if err := t.create(name); err != nil {
				return err
			}
		}
		return nil
	})
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
