package bolt

import "go.etcd.io/bbolt"

// txn is the transaction that the requests of a batch share. It counts writes, so that the
// committer knows whether a request that failed has left something behind.
type txn struct {
	*bbolt.Tx
	writes int
}

func (t *txn) get(bucket, key []byte) []byte { return t.Bucket(bucket).Get(key) }

func (t *txn) put(bucket, key, value []byte) error {
	t.writes++
	return t.Bucket(bucket).Put(key, value)
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

// reader is what both kinds of transaction can do.
type reader interface {
	Bucket(name []byte) *bbolt.Bucket
}
