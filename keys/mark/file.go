package mark

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a Storage in a file, which only its owner can read or write.
type File string

// LoadMark implements Storage.
func (path File) LoadMark() ([]byte, error) {
	f, err := os.Open(string(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}

// SaveMark implements Storage: a new file, on the disk before it takes the place of the old one.
func (path File) SaveMark(text []byte) (err error) {
	dir := filepath.Dir(string(path))
	f, err := os.CreateTemp(dir, "."+filepath.Base(string(path))+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("writing %s: %w", string(path), err)
		}
	}()
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), string(path)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
