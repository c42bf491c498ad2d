package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

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
