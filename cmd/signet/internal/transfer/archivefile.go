package transfer

import (
	"fmt"
	"io"
	"os"

	"signet/cmd/signet/internal/cli"
	"signet/store/seal"
)

// archiveFile is an archive that can be read more than once.
type archiveFile struct {
	*os.File
	size       int64
	seals      *seal.Keys // of its MAC
	unverified bool       // one without a MAC is accepted
	spool      string     // the name to remove at the end; empty for a file of the user
}

func (f *archiveFile) close() {
	f.File.Close()
	if f.spool != "" {
		os.Remove(f.spool)
	}
}

// openArchive opens a file. It copies standard input or a pipe into a temporary file in dir.
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

// spoolArchive copies in into a temporary file. It removes the name of the file at once if the system allows it, so that
// a killed process leaves nothing.
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
