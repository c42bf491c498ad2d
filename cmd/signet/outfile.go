package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

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
	clearLeftovers(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // shows that this file is being written; see clearLeftovers
	defer os.Remove(f.Name())                                       // nothing is there any more after the rename
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

// clearLeftovers removes what earlier runs that were killed have left beside path: with a backup, that
// is a file full of password hashes. A file that another run still writes is locked, and stays.
func clearLeftovers(path string) {
	for _, name := range leftovers(filepath.Dir(path), "."+filepath.Base(path)+".") {
		os.Remove(name)
	}
}

// leftovers returns the temporary files in dir whose name is prefix and digits, or that any writeFile has
// made where prefix is "", and that no process has locked.
func leftovers(dir, prefix string) (list []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if prefix == "" && strings.HasPrefix(e.Name(), ".") {
			digits = e.Name()[strings.LastIndexByte(e.Name(), '.')+1:]
		}
		if !ok || !e.Type().IsRegular() || len(digits) < 4 || strings.Trim(digits, "0123456789") != "" || digits == e.Name() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			list = append(list, name)
		}
		f.Close()
	}
	return list
}

// notForReading refuses to fill a terminal with what is not for people.
func (a *app) notForReading(what string) error {
	if tty := fileOf(a.out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		return misuse("%s is not for reading; send standard output to a file or a pipe", what)
	}
	return nil
}
