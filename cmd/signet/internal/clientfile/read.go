package clientfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"signet/cmd/signet/internal/cli"
)

const (
	maxFile    = 1 << 20 // bytes of a file
	maxClients = 10_000  // in all files together
)

// Read reads the clients of all files. A path is a file, a directory, or - for standard input. Of a directory it reads the
// files *.yaml, *.yml and *.json in it and below it, except hidden ones. An error joins all problems of all files, and
// then no client is returned.
func Read(app *cli.App, paths []string) ([]Client, error) {
	var all []Client
	var problems []error
	places := map[string]string{}
	for _, path := range paths {
		err := eachFile(path, func(name string) {
			clients, err := readFile(app, name)
			if err != nil {
				problems = append(problems, err)
			}
			for _, c := range clients {
				if first, twice := places[c.ID]; twice {
					problems = append(problems, twiceError(c, first))
					continue
				}
				places[c.ID] = c.Place
				all = append(all, c)
			}
		})
		if err != nil {
			problems = append(problems, err)
		}
	}
	if len(all) > maxClients {
		problems = append(problems, fmt.Errorf("the files have %d clients; at most %d are possible", len(all), maxClients))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return all, nil
}

func readFile(app *cli.App, name string) ([]Client, error) {
	if name == "-" {
		data, err := limited(app.In)
		if err != nil {
			return nil, fmt.Errorf("standard input: %w", err)
		}
		return Parse("standard input", data)
	}
	data, err := readLimited(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return Parse(name, data)
}

// readLimited reads a file of at most maxFile bytes. The error does not have its name.
func readLimited(path string) ([]byte, error) {
	f, err := os.Open(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close()
	return limited(f)
}

func limited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case len(data) > maxFile:
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	return bytes.TrimPrefix(data, cli.ByteOrderMark), nil
}

// eachFile calls each for each file of clients at the path.
func eachFile(path string, each func(name string)) error {
	if path == "" {
		return errors.New("the name of a file is empty")
	}
	if path == "-" {
		each(path)
		return nil
	}
	info, err := os.Stat(path)
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: cannot be read: %w", path, err)
	case !info.IsDir() && info.Mode()&fs.ModeDevice != 0:
		return fmt.Errorf("%s: is no file", path)
	case !info.IsDir():
		each(path)
		return nil
	}
	return walk(path, each)
}

// walk finds the files of a directory. What could hide some of them is an error: a caller that deletes what is in no file
// must have seen all.
func walk(dir string, each func(name string)) error {
	found := 0
	var problems []error
	err := filepath.WalkDir(dir+string(filepath.Separator), func(path string, entry fs.DirEntry, err error) error {
		path = filepath.Clean(path)
		hidden := strings.HasPrefix(filepath.Base(path), ".") && path != filepath.Clean(dir)
		switch {
		case err != nil:
			if e, ok := errors.AsType[*fs.PathError](err); ok {
				err = e.Err
			}
			return fmt.Errorf("%s: cannot be read: %w", path, err)
		case entry.IsDir() && hidden:
			return filepath.SkipDir
		case entry.IsDir() || hidden:
			return nil
		}
		isFile, err := followed(path, entry)
		if err != nil {
			problems = append(problems, err)
		}
		if isFile {
			found++
			each(path)
		}
		return nil
	})
	switch {
	case err != nil:
		problems = append(problems, err)
	case found == 0 && len(problems) == 0:
		problems = append(problems, fmt.Errorf("%s: has no file *.yaml, *.yml or *.json", dir))
	}
	return errors.Join(problems...)
}

// followed reports whether a path in a directory is a file of clients. A link to one is, as in a volume of Kubernetes. A
// link to a directory is refused, because it may lead around in a circle.
func followed(path string, entry fs.DirEntry) (bool, error) {
	named := slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(path)))
	mode := entry.Type()
	if mode&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		switch {
		case err != nil && named:
			return true, nil // reading it has the reason
		case err != nil:
			return false, nil
		case info.IsDir():
			return false, fmt.Errorf("%s: is a link to a directory; name that directory too", path)
		}
		mode = info.Mode().Type()
	}
	if named && !mode.IsRegular() {
		return false, fmt.Errorf("%s: is no file", path)
	}
	return named, nil
}
