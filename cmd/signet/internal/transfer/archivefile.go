package transfer

import (
	"fmt"
	"io"
	"os"

	"signet/cmd/signet/internal/cli"
	"signet/store/seal"
)

// archiveFile is an archive that can be read twice.
type archiveFile struct {
	*os.File
	size       int64
	seals      *seal.Keys // whose MAC it must have
	unverified bool       // one without a MAC is taken too
	spool      string     // the name to remove in the end; empty: it is the user's own file
}

func (f *archiveFile) close() {
	f.File.Close()
	if f.spool != "" {
		os.Remove(f.spool)
	}
}

// openArchive opens a file, or copies what is none (standard input, a pipe) into one in dir.
func openArchive(app *cli.App, path, dir string) (*archiveFile, error) {
	if path == "-" {
		return spoolArchive(app, app.In, dir)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the archive: %w", err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("reading the archive: %w", err)
	case info.IsDir():
		f.Close()
		return nil, fmt.Errorf("reading the archive: %s is a directory", path)
	case info.Mode().IsRegular():
		return &archiveFile{File: f, size: info.Size()}, nil
	}
	defer f.Close()
	return spoolArchive(app, f, dir)
}

// spoolArchive removes the file's name at once where the system allows it, so that nothing is left
// behind even by a process that is killed.
func spoolArchive(app *cli.App, in io.Reader, dir string) (*archiveFile, error) {
	f, err := os.CreateTemp(dir, ".import-*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("keeping a copy of the archive until it is checked: %w", err)
	}
	spooled := &archiveFile{File: f}
	if os.Remove(f.Name()) != nil {
		spooled.spool = f.Name()
	}
	watched := app.Watch("read", in, 0)
	defer watched.Clear()
	if spooled.size, err = io.Copy(f, watched); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		spooled.close()
		return nil, fmt.Errorf("keeping a copy of the archive until it is checked: %w", err)
	}
	return spooled, nil
}
