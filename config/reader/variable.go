package reader

import (
	"maps"
	"slices"
	"strings"
)

const prefix = "SIGNET_"

// Variables returns those of env that begin like a setting.
func Variables(env []string) map[string]string {
	vars := map[string]string{}
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, prefix) {
			vars[name] = value
		}
	}
	return vars
}

// readVariables lays the environment over the file.
func (r *Reading) readVariables(env, other []string) {
	vars := Variables(env)
	for _, f := range r.fields {
		r.readVariable(f, vars[f.Variable])
		delete(vars, f.Variable)
	}
	for _, name := range other {
		delete(vars, name)
	}
	r.nameUnknown(vars, other)
}

func (r *Reading) readVariable(f Field, value string) {
	if value == "" {
		return
	}
	r.forget(f.Path)
	r.Sources[f.Path] = f.Variable
	var err error
	if f.isList() {
		err = f.setList(splitList(value))
	} else {
		err = f.set(value)
	}
	if err != nil {
		r.reject(f.Variable, f.Path, err.Error())
	}
}

// forget drops the problems of a value of the file that a variable has replaced.
func (r *Reading) forget(path string) {
	if r.Unreadable[path] {
		delete(r.Unreadable, path)
		r.Problems = slices.DeleteFunc(r.Problems, func(p *Problem) bool { return p.Field == path })
	}
}

func splitList(s string) []string {
	elems := strings.Split(s, ",")
	for i := range elems {
		elems[i] = strings.TrimSpace(elems[i])
	}
	return elems
}

func (r *Reading) nameUnknown(unknown map[string]string, other []string) {
	known := slices.Clone(other)
	for _, f := range r.fields {
		known = append(known, f.Variable)
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		text := name + ": there is no such setting and it has no effect"
		if meant := Nearest(name, known); meant != "" {
			text += "; did you mean " + meant + "?"
		}
		r.Unknown = append(r.Unknown, text)
	}
}
