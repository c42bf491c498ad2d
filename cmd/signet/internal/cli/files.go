package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// WriteFile writes a private file beside path and renames it, so that an interrupted write leaves no file that looks
// complete. It replaces a file only by force, and not if refuse, which may be nil, returns an error for the path.
func WriteFile(path string, force bool, refuse func(path string) error, write func(io.Writer) error) error {
	if _, err := os.Lstat(path); err == nil && !force {
		return fmt.Errorf("%s exists already; give another name, or --force to replace it", path)
	}
	if refuse != nil {
		if err := refuse(path); err != nil {
			return err
		}
	}
	clearLeftovers(path)
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("making the file: there is no directory %s; make it first", filepath.Dir(path))
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", filepath.Dir(path), e.Err) // without the temporary name
	}
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

// SameFile reports whether two paths lead to one file, be it there yet or not.
func SameFile(a, b string) bool {
	if x, err := os.Stat(a); err == nil {
		y, err := os.Stat(b)
		return err == nil && os.SameFile(x, y)
	}
	place := func(path string) (dir, name string) {
		path, _ = filepath.Abs(path) // fails where there is no working directory, and no file then
		if real, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			return real, filepath.Base(path)
		}
		return filepath.Dir(path), filepath.Base(path)
	}
	dirA, nameA := place(a)
	dirB, nameB := place(b)
	return dirA == dirB && nameA == nameB
}

// clearLeftovers removes the temporary files of WriteFile that killed processes have left beside path: after a backup
// they hold password hashes. A file that another process is writing is locked, and stays.
func clearLeftovers(path string) {
	for _, name := range Leftovers(filepath.Dir(path), "."+filepath.Base(path)+".") {
		os.Remove(name)
	}
}

// Leftovers returns the temporary files in dir whose name is prefix and digits, or those of any WriteFile if prefix is
// "". It leaves out files that a process has locked.
func Leftovers(dir, prefix string) (list []string) {
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

// WriteNewFile writes a private file that must not exist yet, and syncs it to the disk.
func WriteNewFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w; choose another --dir, or run this as a user who may write there", err)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = file.WriteString(text)
	if syncErr := file.Sync(); err == nil {
		err = syncErr
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// ShellQuote quotes s so that a POSIX shell reads it as one word.
func ShellQuote(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=@%+,", r)
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
