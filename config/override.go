package config

import (
	"fmt"
	"slices"
	"strings"
)

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
