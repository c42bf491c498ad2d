package config

import (
	"fmt"
	"slices"
	"strings"
)

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

// forget drops what was wrong with a value of the file that a variable has replaced.
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
