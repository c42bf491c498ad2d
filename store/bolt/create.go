package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"signet/store/bolt/file"
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

// createFile makes an empty store where there is no file. Two that create at once make one.
func createFile(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return nil // whatever is there, Open finds out
	}
	_, err := file.Make(path, initialise)
	return err
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
