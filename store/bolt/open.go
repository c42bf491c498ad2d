package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.etcd.io/bbolt"

	"signet/store"
	"signet/store/bolt/file"
	"signet/store/seal"
)

// Schema is the newest format that this package reads, and the one of new files. A file keeps the
// format that it has; see Format.
const Schema = store.Format2

// Options configures Open. The zero value opens an existing file.
type Options struct {
	Create      bool             // make the file where there is none
	AuditEvents int              // audit events kept in all, divided by store.ShareRetention; 0: store.DefaultRetention
	Retention   store.Retention  // of audit events, where a class has its own
	Now         func() time.Time // paces write probes; nil means time.Now
	Log         *slog.Logger     // nil discards
	Seals       *seal.Keys       // of the records; nil: they have none, and what a record is sealed with is not understood
}

var _ store.Store = (*Store)(nil)

// Open opens the store at path. It answers an error that wraps
//   - fs.ErrNotExist where there is no file and Options.Create is not set,
//   - store.ErrLocked where another process has it open,
//   - store.ErrSchema where a newer Signet wrote it.
//
// A file that is empty, cut short or damaged is an error too; nothing is repaired or replaced.
func Open(path string, opt Options) (*Store, error) {
	if opt.Create {
		if err := createFile(path); err != nil {
			return nil, err
		}
	}
	f, err := file.Open(path, false)
	if err != nil {
		return nil, err
	}
	s := newStore(f, opt)
	if err := s.load(); err != nil {
		return nil, errors.Join(err, f.DB.Close())
	}
	clearSpools(path)
	s.running.Add(1)
	go s.run()
	if err := s.addBuckets(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.indexEvents(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.emptyOutbox(context.Background())
	return s, nil
}

// load checks the layout and reads what is kept in memory.
func (s *Store) load() error {
	return s.view(func(tx snapshot) error {
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				return file.Damaged(s.file.Path, fmt.Sprintf("it has no bucket %q", name))
			}
		}
		schema, err := checkSchema(tx.Tx, s.file.Path)
		if err != nil {
			return err
		}
		s.SetFormat(schema)
		s.audit.load(tx.Bucket(bucketAudit))
		return s.throttle.load(tx)
	})
}

// checkSchema returns the file's format: the higher one of what the file and its install record have.
func checkSchema(tx *bbolt.Tx, path string) (format int, err error) {
	meta := tx.Bucket(bucketMeta)
	raw := meta.Get(keySchema)
	if len(raw) != 8 {
		return 0, file.Damaged(path, "it does not say its schema")
	}
	schema := binary.BigEndian.Uint64(raw)
	if raw := meta.Get(keyInstall); raw != nil { // whether it is forged is found when it is read
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
