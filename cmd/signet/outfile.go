package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/term"
)

// writeFile has a private file written beside path and renames it, so that one that broke off never
// looks like a whole one. It replaces a file only by force, and never one that the server lives on,
// among them those in own.
func (a *app) writeFile(path string, force bool, write func(io.Writer) error, own ...string) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s exists already; give another name, or --force to replace it", path)
	}
	if err := a.guardOwnFiles(path, own...); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	defer os.Remove(f.Name()) // nothing is there any more after the rename
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("putting the file in its place: %w", err)
	}
	return nil
}

// notForReading refuses to fill a terminal with what is not for people.
func (a *app) notForReading(what string) error {
	if tty := fileOf(a.out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		return misuse("%s is not for reading; send standard output to a file or a pipe", what)
	}
	return nil
}
