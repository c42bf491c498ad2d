package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"signet/store"
	"signet/store/bolt/pages"
)

const (
	mapRoom = 1 << 30 // address space that is mapped at least
	growBy  = 1 << 20 // bytes that a full file grows by
)

// File is an open file, locked by this process.
type File struct {
	DB   *bbolt.DB
	Path string

	file   *os.File    // of DB, for when DB cannot close it
	opened os.FileInfo // which file it is
}

// Open opens the file at path. The error wraps
//   - fs.ErrNotExist where there is none,
//   - store.ErrLocked where another process has it open,
//   - ErrDamaged where it must be restored.
func Open(path string, readOnly bool) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, explain(path, err)
	case info.IsDir():
		return nil, fmt.Errorf("opening the store: %s is a directory", path)
	case info.Size() == 0:
		return nil, Damaged(path, "it is empty")
	}
	f := &File{Path: path}
	err = Safely(path, func() error {
		if err := f.openDB(readOnly); err != nil {
			return err
		}
		if err := f.check(); err != nil {
			return errors.Join(err, f.DB.Close())
		}
		return nil
	})
	if err != nil {
		f.Abandon() // where bbolt has panicked, and closed nothing
		return nil, err
	}
	return f, nil
}

func (f *File) openDB(readOnly bool) (err error) {
	f.DB, err = bbolt.Open(f.Path, 0o600, &bbolt.Options{
		Timeout:         time.Nanosecond, // one try
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mapRoom,
		NoStatistics:    true,
		ReadOnly:        readOnly,
		PreLoadFreelist: true,
		OpenFile: func(name string, flag int, mode os.FileMode) (file *os.File, err error) {
			f.file, err = os.OpenFile(name, flag&^os.O_CREATE, mode)
			return f.file, err
		},
	})
	if err != nil {
		return explain(f.Path, err)
	}
	f.DB.AllocSize = growBy
	return nil
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
		return Damaged(path, err.Error())
	}
}

// check refuses a file that is shorter than its head has it, where reading the missing part would be a page fault, and one in
// which bbolt would walk in a circle.
func (f *File) check() (err error) {
	if f.opened, err = f.file.Stat(); err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	return f.DB.View(func(tx *bbolt.Tx) error {
		if f.opened.Size() < tx.Size() {
			return Damaged(f.Path, fmt.Sprintf("it has %d of %d bytes", f.opened.Size(), tx.Size()))
		}
		if err := pages.Branches(f.file, f.DB.Info().PageSize, uint64(tx.ID())); err != nil {
			return &DamagedError{f.Path, err}
		}
		return nil
	})
}

// Abandon closes the file without bbolt, which may never give its own locks back where it has panicked.
func (f *File) Abandon() error {
	unlock(f.file)
	return f.file.Close()
}

// Stat returns what the system has about the file.
func (f *File) Stat() (os.FileInfo, error) { return f.file.Stat() }

// CheckPages checks the pages of a snapshot, beside the writer; see pages.Check. It returns their number.
func (f *File) CheckPages(tx *bbolt.Tx, stop func() error) (n uint64, err error) {
	return pages.Check(f.file, f.DB.Info().PageSize, uint64(tx.ID()), stop)
}

// FreeBytes returns how much of a snapshot is free for new records.
func (f *File) FreeBytes(tx *bbolt.Tx) (int64, error) {
	size := f.DB.Info().PageSize
	n, err := pages.Free(f.file, size, uint64(tx.ID()))
	return int64(n) * int64(size), err
}

// InPlace returns an error while the path does not lead to the open file: it was moved, replaced or deleted, or its
// directory was. What is written then would be gone with this process.
func (f *File) InPlace() error {
	same, err := isAt(f.Path, f.opened)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s was moved or deleted while it was open; %s", f.Path, f.rescue())
	case err != nil:
		return err
	case !same:
		return fmt.Errorf("%s was replaced by another file while it was open; %s", f.Path, f.rescue())
	}
	return nil
}

func statIsAt(path string, opened os.FileInfo) (bool, error) {
	is, err := os.Stat(path)
	return err == nil && os.SameFile(is, opened), err
}

// rescue is the advice for the reader of the error. Linux keeps the bytes of an open file.
func (f *File) rescue() string {
	open := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.file.Fd())
	if _, err := os.Lstat(open); err != nil {
		return "put the right file back, or stop the server and restore a backup"
	}
	return "put the right file back; until the server is stopped, `cp " + open + "` makes a copy of what it has"
}
