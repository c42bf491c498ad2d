// Package reader reads settings into a struct from one YAML file and, over it, from environment variables.
//
// It finds the settings by reflection: the tag yaml has the name of a key, a struct inside is a section, and
// the variable of refresh.grace is SIGNET_REFRESH_GRACE. It reports everything that cannot be read, each with
// the line or the variable; which values are sensible is for the package that owns the struct.
package reader

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Source string // where it was set: "signet.yaml:12" or "SIGNET_LISTEN"; empty when it was not
	Field  string // refresh.grace; empty when it is about the whole file
	Text   string // what is wrong and what to do
}

func (p *Problem) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.Source, p.Field, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Input is what settings are read from.
type Input struct {
	Name  string   // of the file, for messages; empty: problems have no line
	File  []byte   // YAML; empty: only variables
	Env   []string // as os.Environ spells it; a later entry wins, and an empty value counts as not set
	Other []string // variables that begin like a setting and are read elsewhere
}

// Reading is what Read found, beside the values.
type Reading struct {
	Sources    map[string]string // where a setting was set, by its path; the default has no entry
	Unreadable map[string]bool   // settings that have a value which could not be read
	Broken     bool              // the file is not YAML, so nothing is known of what it sets
	Problems   []*Problem
	Unknown    []string // a sentence for each variable that is no setting

	name   string
	fields []Field
}

// Read sets what the file, then the environment, has. Settings points to the struct, which has the defaults.
func Read(settings any, in Input) *Reading {
	r := &Reading{Sources: map[string]string{}, Unreadable: map[string]bool{}, name: in.Name, fields: Fields(settings)}
	r.readFile(in.File)
	r.readVariables(in.Env, in.Other)
	return r
}

// Source is where the setting was set, or the name of the file where it was not.
func (r *Reading) Source(path string) string {
	if s, ok := r.Sources[path]; ok {
		return s
	}
	return r.name
}

func (r *Reading) reject(source, path, text string) {
	r.Unreadable[path] = true
	r.Problems = append(r.Problems, &Problem{Source: source, Field: path, Text: text})
}

func (r *Reading) line(n int) string {
	if r.name == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d", r.name, n)
}
