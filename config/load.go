package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// maxFile is more than anyone writes by hand. It protects from a path that names something else.
const maxFile = 1 << 20

// Load reads the file at path, lays the environment (as os.Environ spells it) over it, and returns
// the complete Config, or every problem at once. With an empty path there is no file, only the
// environment, and relative paths start at the working directory.
//
// A later entry of env wins over an earlier one: a caller with flags appends them, such as SIGNET_LISTEN=….
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

// sharedMasterKey returns where the master key is. A second server with the same file gets a data directory
// of its own by SIGNET_DATA_DIR, and must still find the master key: if none is in that directory, the path
// of the file alone counts.
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

// Parse is Load of text that is to become the file at path and is not there yet. Its problems have no line
// numbers.
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
		// A value that could not be read is reported already; a problem of its default is noise.
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

	redisPassword bool // a variable holds one; its value is not read
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

// Variables that begin like a setting but are read elsewhere: by the command line, and for the
// secrets, which must not be in a file of settings.
var otherVariables = []string{
	"SIGNET_CONFIG", "SIGNET_MASTER_KEY", "SIGNET_ADMIN_URL", "SIGNET_ADMIN_TOKEN",
	"SIGNET_REDIS_PASSWORD", "SIGNET_REDIS_SENTINEL_PASSWORD", "SIGNET_HSM_PIN",
}

// readEnv lays the environment over the file.
func (l *loader) readEnv(env []string) {
	vars := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SIGNET_") {
			vars[name] = value
		}
	}
	for _, f := range l.fields {
		l.readVariable(f, vars[f.env])
		delete(vars, f.env)
	}
	l.redisPassword = vars["SIGNET_REDIS_PASSWORD"] != "" || vars["SIGNET_REDIS_SENTINEL_PASSWORD"] != ""
	l.warnUnknown(vars)
}

func (l *loader) readVariable(f field, value string) {
	if value == "" {
		return
	}
	l.forget(f.path)
	l.sources[f.path] = f.env
	var err error
	if f.isList() {
		err = f.setList(splitList(value))
	} else {
		err = f.set(value)
	}
	if err != nil {
		l.reject(f.env, f.path, err.Error())
	}
}

// forget drops the problems of a value of the file that a variable has replaced.
func (l *loader) forget(path string) {
	if l.bad[path] {
		delete(l.bad, path)
		l.problems = slices.DeleteFunc(l.problems, func(p *Problem) bool { return p.Field == path })
	}
}

func splitList(s string) []string {
	elems := strings.Split(s, ",")
	for i := range elems {
		elems[i] = strings.TrimSpace(elems[i])
	}
	return elems
}

func (l *loader) warnUnknown(vars map[string]string) {
	known := slices.Clone(otherVariables)
	for _, f := range l.fields {
		known = append(known, f.env)
	}
	var names []string
	for name := range vars {
		if !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		w := fmt.Sprintf("%s: there is no such setting and it has no effect", name)
		if meant := nearest(name, known); meant != "" {
			w += "; did you mean " + meant + "?"
		}
		l.warnings = append(l.warnings, Warning(w))
	}
}

// Override is a setting that the file has and that an environment variable sets as well: the variable
// counts, and a change of the file has no effect.
type Override struct {
	Setting  string
	Variable string
	File     string // the value of the file, as one text; it is for comparing
}

// Overrides lists the settings that are both in the file at path and in the environment, in the order
// of the example file. A file that cannot be read has none.
func Overrides(path string, env []string) (list []Override) {
	if path == "" {
		return nil
	}
	data, err := read(path)
	if err != nil {
		return nil
	}
	file := readOver(Default(), path, data, nil)
	vars := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		vars[name] = value
	}
	for _, f := range file.fields {
		if _, inFile := file.sources[f.path]; inFile && vars[f.env] != "" {
			list = append(list, Override{f.path, f.env, fmt.Sprint(f.value.Interface())})
		}
	}
	return list
}

// ChangedOverrides are those of after whose value in the file is another than before, or new.
func ChangedOverrides(before, after []Override) (changed []Override) {
	for _, o := range after {
		if !slices.Contains(before, o) {
			changed = append(changed, o)
		}
	}
	return changed
}

// Reloadable compares two valid configurations and returns the settings that differ: those that take effect
// at once, and those that only the next start reads.
func Reloadable(old, new Config) (changed, needRestart []string) {
	before, after := fields(&old), fields(&new)
	for i, f := range after {
		if reflect.DeepEqual(before[i].value.Interface(), f.value.Interface()) {
			continue
		}
		if f.path == "audience" && old.audienceIsIssuer() && new.audienceIsIssuer() {
			continue // it follows the issuer
		}
		if f.live {
			changed = append(changed, f.path)
		} else {
			needRestart = append(needRestart, f.path)
		}
	}
	return changed, needRestart
}

func (c Config) audienceIsIssuer() bool { return slices.Equal(c.Audience, []string{c.Issuer}) }
