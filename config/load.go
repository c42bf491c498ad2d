package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"signet/config/reader"
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
	_, r := readOver(Default(), path, data, env)
	if r.Sources["data_dir"] != "SIGNET_DATA_DIR" || r.Sources["master_key_file"] == "SIGNET_MASTER_KEY_FILE" || exists(found) {
		return found
	}
	c, _ := readOver(Default(), path, data, nil)
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
	c, r := readOver(Default(), name, data, env)
	if preset := c.Keys.Preset; preset != presetStandard {
		// What is set stays above the preset because it is read over it anew.
		c, r = readOver(withPreset(preset), name, data, env)
	}
	warnings := make([]Warning, len(r.Unknown))
	for i, text := range r.Unknown {
		warnings[i] = Warning(text)
	}
	if r.Broken {
		return Config{}, warnings, join(r.Problems)
	}
	c.resolve(dir)
	problems := r.Problems
	for _, p := range c.problems() {
		// A value that could not be read is reported already; a problem of its default is noise.
		if !r.Unreadable[p.Field] {
			p.Source = r.Source(p.Field)
			problems = append(problems, p)
		}
	}
	if len(problems) > 0 {
		return Config{}, warnings, join(problems)
	}
	vars := reader.Variables(env)
	redisPassword := vars["SIGNET_REDIS_PASSWORD"] != "" || vars["SIGNET_REDIS_SENTINEL_PASSWORD"] != ""
	return c, append(warnings, c.warnings(redisPassword)...), nil
}

// readOver lays the file, then the environment, over base.
func readOver(base Config, name string, data []byte, env []string) (Config, *reader.Reading) {
	r := reader.Read(&base, reader.Input{Name: name, File: data, Env: env, Other: otherVariables})
	return base, r
}

// Variables that begin like a setting but are read elsewhere: by the command line, and for the
// secrets, which must not be in a file of settings.
var otherVariables = []string{
	"SIGNET_CONFIG", "SIGNET_MASTER_KEY", "SIGNET_ADMIN_URL", "SIGNET_ADMIN_TOKEN",
	"SIGNET_REDIS_PASSWORD", "SIGNET_REDIS_SENTINEL_PASSWORD", "SIGNET_HSM_PIN", "SIGNET_PASSWORD_PEPPER",
	"SIGNET_USERS_UPSTREAM_SECRET", "SIGNET_USERS_UPSTREAM_BIND_PASSWORD",
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
	file, r := readOver(Default(), path, data, nil)
	vars := reader.Variables(env)
	for _, f := range reader.Fields(&file) {
		if _, inFile := r.Sources[f.Path]; inFile && vars[f.Variable] != "" {
			list = append(list, Override{f.Path, f.Variable, fmt.Sprint(f.Value.Interface())})
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
	before, after := reader.Fields(&old), reader.Fields(&new)
	for i, f := range after {
		if reflect.DeepEqual(before[i].Value.Interface(), f.Value.Interface()) {
			continue
		}
		if f.Path == "audience" && old.audienceIsIssuer() && new.audienceIsIssuer() {
			continue // it follows the issuer
		}
		if f.Live {
			changed = append(changed, f.Path)
		} else {
			needRestart = append(needRestart, f.Path)
		}
	}
	return changed, needRestart
}

func (c Config) audienceIsIssuer() bool { return slices.Equal(c.Audience, []string{c.Issuer}) }
