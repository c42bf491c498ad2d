package layout

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/seal"
)

// Schema is the newest format that this package reads, and the one of new files. A file keeps the format that it has.
const Schema = store.Format2

// Bucket is a top-level bucket of the file.
type Bucket struct {
	name []byte
	kind seal.Kind // of its records; empty: they have no seal

	// later: not in every file of this schema. AddBuckets makes it. An earlier Signet passes it over.
	later bool
}

// String returns the name, which is the key of the bucket in the file.
func (b *Bucket) String() string { return string(b.name) }

// The buckets. The keyring is sealed by itself.
var (
	Meta       = &Bucket{name: []byte("meta")} // see metaKinds
	Clients    = &Bucket{name: []byte("clients"), kind: seal.Client}
	Users      = &Bucket{name: []byte("users"), kind: seal.User}
	Usernames  = &Bucket{name: []byte("usernames"), kind: seal.Name}
	Sessions   = &Bucket{name: []byte("sessions"), kind: seal.Session}
	Keyring    = &Bucket{name: []byte("keyring")}
	Revoked    = &Bucket{name: []byte("revoked"), kind: seal.Revoked}
	Audit      = &Bucket{name: []byte("audit"), kind: seal.Event}
	Throttle   = &Bucket{name: []byte("throttle"), kind: seal.Count}
	Assertions = &Bucket{name: []byte("assertions"), kind: seal.Assertion, later: true}
	AuditRings = &Bucket{name: []byte("audit_rings"), later: true}
	Networks   = &Bucket{name: []byte("networks"), kind: seal.Networks, later: true}
	Outbox     = &Bucket{name: []byte("outbox"), kind: seal.Event, later: true}
	Codes      = &Bucket{name: []byte("codes"), kind: seal.Code, later: true}
	Aliases    = &Bucket{name: []byte("aliases"), kind: seal.Alias, later: true}
	Logouts    = &Bucket{name: []byte("logouts"), kind: seal.Logout, later: true}
	LogoutsDue = &Bucket{name: []byte("logouts_due"), later: true}

	Buckets = []*Bucket{Meta, Clients, Users, Usernames, Sessions, Keyring, Revoked, Audit, Throttle, Assertions, AuditRings, Networks, Outbox, Codes, Aliases,
		Logouts, LogoutsDue}
)

// Keys of Meta and Keyring.
var (
	keySchema  = []byte("schema")
	keyInstall = []byte("install")
	keyEpoch   = []byte("client epoch")
	KeyProbe   = []byte("probe")  // the time of the last write probe
	KeyCopied  = []byte("copied") // the time up to which the file is complete
	keyLoss    = []byte("loss")
	keyCurrent = []byte("current")
	keyLogouts = []byte("logouts")
)

// metaKinds has the seals of Meta. What must be read before there are keys (the schema) or means
// nothing (the probe, the numbers of logouts) has none.
var metaKinds = map[string]seal.Kind{
	string(keyInstall): seal.Install,
	string(KeyCopied):  seal.Moment,
	string(keyLoss):    seal.Moment,
	string(keyEpoch):   seal.Epoch,
}

// Kind returns the kind of the record that has the key, and "" for one that has no seal.
func (b *Bucket) Kind(key []byte) seal.Kind {
	if b == Meta {
		return metaKinds[string(key)]
	}
	return b.kind
}

// Initialise makes an empty store of the newest format at path, where an empty file or none is.
func Initialise(path string) error {
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		t := &Tx{Tx: tx}
		if err := t.AddBuckets(); err != nil {
			return err
		}
		return t.putSchema(Schema)
	})
	return errors.Join(err, db.Close())
}

// AddBuckets makes the buckets that are missing.
func (tx *Tx) AddBuckets() error {
	for _, b := range Buckets {
		if tx.Bucket(b) != nil {
			continue
		}
		tx.Writes++
		if _, err := tx.Tx.CreateBucket(b.name); err != nil {
			return err
		}
	}
	return nil
}

// CheckLayout returns the format of the file at path, the higher one of what the file and its install record have. The error
// wraps store.ErrSchema where a newer Signet wrote the file, else file.ErrDamaged.
func CheckLayout(tx *Tx, path string) (format int, err error) {
	for _, b := range Buckets {
		if !b.later && tx.Bucket(b) == nil {
			return 0, file.Damaged(path, fmt.Sprintf("it has no bucket %q", b))
		}
	}
	raw := tx.Raw(Meta, keySchema)
	if len(raw) != 8 {
		return 0, file.Damaged(path, "it does not say its schema")
	}
	schema := binary.BigEndian.Uint64(raw)
	if raw := tx.Raw(Meta, keyInstall); raw != nil { // whether it is forged is found when it is read
		var in store.Install
		if err := json.Unmarshal(seal.Unverified(raw), &in); err != nil {
			return 0, file.Damaged(path, "its install record is unreadable")
		}
		schema = max(schema, uint64(max(in.Schema, 0)))
	}
	if schema > Schema {
		return 0, fmt.Errorf("the store %s has schema %d, newest known is %d: %w", path, schema, Schema, store.ErrSchema)
	}
	return int(schema), nil
}

func (tx *Tx) putSchema(format int) error {
	return tx.Put(Meta, keySchema, binary.BigEndian.AppendUint64(nil, uint64(format)))
}
