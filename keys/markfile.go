package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// MarkFile is a MarkStorage in a file, which only its owner can read or write.
type MarkFile string

// LoadMark implements MarkStorage.
func (path MarkFile) LoadMark() ([]byte, error) {
	f, err := os.Open(string(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxMark+1))
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}

// SaveMark implements MarkStorage: a new file, on the disk before it takes the place of the old one.
func (path MarkFile) SaveMark(text []byte) (err error) {
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
