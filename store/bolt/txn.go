package bolt

import (
	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/seal"
)

// txn is the transaction that the requests of a batch share. It counts writes, so that the
// committer knows whether a request that failed has left something behind.
type txn struct {
	snapshot
	format int // of the records that are written
	writes int
}

// newTxn is the transaction of a file that is being made, and has the newest format.
func newTxn(tx *bbolt.Tx, seals *seal.Keys) *txn {
	return &txn{snapshot: snapshot{tx, seals}, format: Schema}
}

// get returns what lies under the key, sealed as it is: to see whether there is something, or whether it
// has changed.
func (t *txn) get(bucket, key []byte) []byte { return t.Bucket(bucket).Get(key) }

// put seals the record.
func (t *txn) put(bucket, key, record []byte) error {
	t.writes++
	return t.Bucket(bucket).Put(key, t.sealed(bucket, key, record))
}

// sealed is the record as it lies in the bucket. A store of format 1 stays readable for a Signet that
// has no seals.
func (t *txn) sealed(bucket, key, record []byte) []byte {
	kind, has := sealKind(bucket, key)
	if !has || t.format < store.Format2 {
		return record
	}
	return t.seals.Seal(kind, key, record)
}

func (t *txn) create(bucket []byte) error {
	t.writes++
	_, err := t.CreateBucket(bucket)
	return err
}

func (t *txn) del(bucket, key []byte) error {
	t.writes++
	return t.Bucket(bucket).Delete(key)
}

// snapshot is a transaction that can open records.
type snapshot struct {
	*bbolt.Tx
	seals *seal.Keys
}

// reader is what both kinds of transaction can do.
type reader interface {
	Bucket(name []byte) *bbolt.Bucket
	// record returns the record that has the key, and nil where there is none.
	record(bucket, key []byte) ([]byte, error)
	// opened returns the record of what lies under the key, which the caller has read.
	opened(bucket, key, sealed []byte) ([]byte, error)
}

func (tx snapshot) record(bucket, key []byte) ([]byte, error) {
	sealed := tx.Bucket(bucket).Get(key)
	if sealed == nil {
		return nil, nil
	}
	return tx.opened(bucket, key, sealed)
}

func (tx snapshot) opened(bucket, key, sealed []byte) ([]byte, error) {
	kind, has := sealKind(bucket, key)
	if !has {
		return sealed, nil
	}
	return tx.seals.Open(kind, key, sealed)
}

// sealKind is the kind of the record that has the key in the bucket. The keyring is sealed by itself, and
// what must be read before there are keys (the schema) or means nothing (the probe) is not.
func sealKind(bucket, key []byte) (kind seal.Kind, has bool) {
	switch string(bucket) {
	case "clients":
		return seal.Client, true
	case "users":
		return seal.User, true
	case "usernames":
		return seal.Name, true
	case "sessions":
		return seal.Session, true
	case "revoked":
		return seal.Revoked, true
	case "assertions":
		return seal.Assertion, true
	case "audit", "outbox":
		return seal.Event, true
	case "throttle":
		return seal.Count, true
	case "networks":
		return seal.Networks, true
	case "meta":
		switch string(key) {
		case "install":
			return seal.Install, true
		case "copied", "loss":
			return seal.Moment, true
		case string(keyEpoch):
			return seal.Epoch, true
		}
	}
	return "", false
}
