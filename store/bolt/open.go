package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"signet/store"
	"signet/store/bolt/pages"
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

const (
	mapRoom = 1 << 30 // address space that is mapped at least
	growBy  = 1 << 20 // bytes that a full file grows by
)

// Open opens the store at path. It answers an error that wraps
//   - fs.ErrNotExist where there is no file and Options.Create is not set,
//   - store.ErrLocked where another process has it open,
//   - store.ErrSchema where a newer Signet wrote it.
//
// A file that is empty, cut short or damaged is an error too; nothing is repaired or replaced.
func Open(path string, opt Options) (*Store, error) {
	if err := prepare(path, opt.Create); err != nil {
		return nil, err
	}
	db, file, err := openFile(path, false)
	if err != nil {
		return nil, err
	}
	s, err := newStore(db, file, path, opt)
	if err == nil {
		err = s.load()
	}
	if err != nil {
		db.Close()
		return nil, err
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

// prepare sees to it that there is something at path that may be opened.
func prepare(path string, create bool) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && create:
		return createFile(path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no store at %s: %w", path, err)
	case err != nil:
		return fmt.Errorf("opening the store: %w", err)
	case info.IsDir():
		return fmt.Errorf("opening the store: %s is a directory", path)
	case info.Size() == 0:
		return damaged(path, "it is empty")
	}
	return nil
}

// openFile opens an existing file and turns whatever bbolt makes of a bad one, panics and page
// faults included, into an error.
func openFile(path string, readOnly bool) (db *bbolt.DB, file *os.File, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, damaged(path, panicText(p))
			unlock(file)
			file.Close()
		}
	}()
	db, err = bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         time.Nanosecond, // one try
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapRoom,
		NoStatistics:    true,
		ReadOnly:        readOnly,
		PreLoadFreelist: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag&^os.O_CREATE, mode)
			file = f
			return f, err
		},
	})
	if err != nil {
		return nil, nil, explain(path, err)
	}
	db.AllocSize = growBy
	err = checkSize(db, file)
	if err == nil {
		err = checkBranches(db, file)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, file, nil
}

func explain(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("the store %s is %w", path, store.ErrLocked)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("opening the store: %w (this process must be able to read and write the file)", err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no store at %s: %w", path, err)
	case errors.As(err, new(*fs.PathError)):
		return fmt.Errorf("opening the store: %w", err)
	default:
		return damaged(path, err.Error())
	}
}

// checkSize refuses a file that is shorter than what it says it holds: reading the missing part
// would be a page fault.
func checkSize(db *bbolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return damaged(db.Path(), fmt.Sprintf("it has %d of %d bytes", info.Size(), tx.Size()))
		}
		return nil
	})
}

// checkBranches refuses a file in which bbolt would walk in a circle.
func checkBranches(db *bbolt.DB, file *os.File) error {
	return db.View(func(tx *bbolt.Tx) error {
		if err := pages.Branches(file, db.Info().PageSize, uint64(tx.ID())); err != nil {
			return damagedBy(db.Path(), err)
		}
		return nil
	})
}

// errDamaged tells a file that must be restored from one that is only busy or out of reach.
var errDamaged = errors.New("the store is damaged")

// DamagedError is a file that must be replaced by a copy.
type DamagedError struct {
	Path string
	How  error // what is wrong with it
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%v: %s: %v; restore a backup", errDamaged, e.Path, e.How)
}

// Unwrap returns what is wrong.
func (e *DamagedError) Unwrap() []error { return []error{errDamaged, e.How} }

// panicText words a panic of bbolt, which trusts its pages.
func panicText(p any) string {
	if _, ok := p.(runtime.Error); ok {
		return "its pages do not fit together"
	}
	return fmt.Sprint(p)
}

func damaged(path, how string) error { return damagedBy(path, errors.New(how)) }

func damagedBy(path string, how error) error { return &DamagedError{path, how} }

// load checks the layout and reads what is kept in memory.
func (s *Store) load() error {
	return s.view(func(tx snapshot) error {
		for _, name := range buckets {
			if tx.Bucket(name) == nil {
				return damaged(s.path, fmt.Sprintf("it has no bucket %q", name))
			}
		}
		schema, err := checkSchema(tx.Tx, s.path)
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
		return 0, damaged(path, "it does not say its schema")
	}
	schema := binary.BigEndian.Uint64(raw)
	if raw := meta.Get(keyInstall); raw != nil { // whether it is forged is found when it is read
		var in store.Install
		if err := json.Unmarshal(seal.Unverified(raw), &in); err != nil {
			return 0, damaged(path, "its install record is unreadable")
		}
		schema = max(schema, uint64(max(in.Schema, 0)))
	}
	if schema > Schema {
		return 0, fmt.Errorf("the store %s has schema %d, newest known is %d: %w", path, schema, Schema, store.ErrSchema)
	}
	return int(schema), nil
}
