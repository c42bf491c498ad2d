package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
)

// inPlace returns an error while the path does not lead to the open file: it was moved, replaced or
// deleted, or its directory was. What is written then would be gone with this process. The first look
// that finds this out is one line in the log, and so is the one that finds the file again.
func (s *Store) inPlace() error {
	err := s.findFile()
	if moved := err != nil; s.health.setMoved(moved) {
		if moved {
			s.log.Error("the store's file is not in its place: nothing is written until it is back", slog.Any("error", err))
		} else {
			s.log.Info("the store's file is back in its place", slog.String("path", s.path))
		}
	}
	return err
}

func (s *Store) findFile() error {
	same, err := isAt(s.path, s.opened)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s was moved or deleted while it was open; %s", s.path, s.rescue())
	case err != nil:
		return err
	case !same:
		return fmt.Errorf("%s was replaced by another file while it was open; %s", s.path, s.rescue())
	}
	return nil
}

func statIsAt(path string, opened os.FileInfo) (bool, error) {
	is, err := os.Stat(path)
	return err == nil && os.SameFile(is, opened), err
}

// rescue is the advice for whoever reads the error. Linux keeps the bytes of an open file.
func (s *Store) rescue() string {
	open := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), s.file.Fd())
	if _, err := os.Lstat(open); err != nil {
		return "put the right file back, or stop the server and restore a backup"
	}
	return "put the right file back; until the server is stopped, `cp " + open + "` makes a copy of what it has"
}

// setMoved reports whether that is a change.
func (h *health) setMoved(moved bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed := h.moved != moved
	h.moved = moved
	return changed
}
