package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is more than anyone writes by hand; it guards against a path that names something else.
const maxFile = 1 << 20

// Load reads the file at path, lays the environment (as os.Environ spells it) over it, and returns
// the complete Config, or every problem at once. With an empty path there is no file, only the
// environment, and relative paths start at the working directory.
//
// A later entry of env wins over an earlier one: a caller with flags appends them, SIGNET_LISTEN=… say.
func Load(path string, env []string) (Config, []Warning, error) {
	dir, err := directory(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("finding the working directory: %w", err)
	}
	if path == "" {
		return load("", nil, dir, env)
	}
	data, err := read(path)
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := load(path, data, dir, env)
	if err == nil {
		c.MasterKeyFile = sharedMasterKey(c.MasterKeyFile, path, data, dir, env)
	}
	return c, warnings, err
}

// sharedMasterKey returns where the master key is. A second server with the same file takes a data
// directory of its own by SIGNET_DATA_DIR, and that must not take the master key away from it: if none is
// in there, the one counts that the file alone means.
func sharedMasterKey(found, path string, data []byte, dir string, env []string) string {
	l := readOver(Default(), path, data, env)
	if l.sources["data_dir"] != "SIGNET_DATA_DIR" || l.sources["master_key_file"] == "SIGNET_MASTER_KEY_FILE" || exists(found) {
		return found
	}
	c := readOver(Default(), path, data, nil).config
	if c.resolve(dir); exists(c.MasterKeyFile) {
		return c.MasterKeyFile
	}
	return found
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Parse is Load of text that is to become the file at path and is not there yet. What is wrong with it
// is said without lines.
func Parse(path string, text []byte, env []string) (Config, []Warning, error) {
	dir, err := directory(path)
	if err != nil {
		return Config{}, nil, fmt.Errorf("finding the working directory: %w", err)
	}
	return load("", text, dir, env)
}

// directory is where relative paths of the file at path start.
func directory(path string) (string, error) {
	if path == "" {
		return os.Getwd()
	}
	return filepath.Abs(filepath.Dir(path))
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file; make one with `signet init`", path)
	case err != nil:
		return nil, fmt.Errorf("reading the configuration: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a file; give the path of signet.yaml itself", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: is larger than 1 MiB and so hardly a configuration file", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return data, nil
}

// load is Load without the file system.
func load(name string, data []byte, dir string, env []string) (Config, []Warning, error) {
	l := readOver(Default(), name, data, env)
	if preset := l.config.Keys.Preset; preset != presetStandard {
		// What is set stays above the preset because it is read over it anew.
		l = readOver(withPreset(preset), name, data, env)
	}
	if l.broken {
		return Config{}, l.warnings, join(l.problems)
	}
	l.config.resolve(dir)
	for _, p := range l.config.problems() {
		// A value that could not be read has been reported; what its default would mean is noise.
		if !l.bad[p.Field] {
			p.Source = l.source(p.Field)
			l.problems = append(l.problems, p)
		}
	}
	if len(l.problems) > 0 {
		return Config{}, l.warnings, join(l.problems)
	}
	return l.config, append(l.warnings, l.config.warnings(l.redisPassword)...), nil
}

// readOver lays the file, then the environment, over base.
func readOver(base Config, name string, data []byte, env []string) *loader {
	l := &loader{config: base, name: name, sources: map[string]string{}, bad: map[string]bool{}}
	l.fields = fields(&l.config)
	l.readFile(data)
	l.readEnv(env)
	return l
}

// loader gathers one Config and what is wrong with it.
type loader struct {
	config   Config
	fields   []field // of config
	name     string  // of the file, for messages
	sources  map[string]string
	bad      map[string]bool // fields whose value could not be read
	broken   bool            // the file is not YAML, so nothing can be said about what it sets
	problems []*Problem
	warnings []Warning

	redisPassword bool // a variable holds one, which is all that is noticed of it
}

func (l *loader) source(path string) string {
	if s, ok := l.sources[path]; ok {
		return s
	}
	return l.name
}

func (l *loader) reject(source, path, text string) {
	l.bad[path] = true
	l.problems = append(l.problems, &Problem{Source: source, Field: path, Text: text})
}

func (l *loader) line(n int) string {
	if l.name == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", l.name, n)
}
