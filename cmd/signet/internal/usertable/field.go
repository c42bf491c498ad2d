package usertable

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// lookup follows a path such as attributes.phone.0 into a record. Text that holds JSON is opened on the way.
func lookup(v any, path string) (any, bool) {
	if path == "" {
		return v, v != nil
	}
	switch v := v.(type) {
	case map[string]any:
		if x, ok := v[path]; ok {
			return x, x != nil
		}
		for i := range len(path) {
			if path[i] != '.' {
				continue
			}
			if inner, ok := v[path[:i]]; ok {
				if x, ok := lookup(inner, path[i+1:]); ok {
					return x, true
				}
			}
		}
	case []any:
		head, rest, _ := strings.Cut(path, ".")
		if i, err := strconv.Atoi(head); err == nil && i >= 0 && i < len(v) {
			return lookup(v[i], rest)
		}
	case string:
		if inner, err := decode([]byte(v)); err == nil {
			return lookup(inner, path)
		}
	}
	return nil, false
}

// value returns the first of the fields that is not empty.
func value(rec map[string]any, fields []string) (any, bool) {
	for _, f := range fields {
		if v, ok := lookup(rec, f); ok && (text(v) != "" || !isText(v)) {
			return v, true
		}
	}
	return nil, false
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// first is value as text.
func first(rec map[string]any, fields []string) string {
	v, _ := value(rec, fields)
	return text(v)
}

// text returns text or a number. Anything else, and what stands for nothing in exports of databases, is "".
func text(v any) string {
	switch v := v.(type) {
	case string:
		if absent(v) {
			return ""
		}
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func absent(s string) bool { return s == "NULL" || s == `\N` }

// isTrue reads a field that is true or false. A ! before its name turns it round; a field that is not there is false
// either way.
func isTrue(rec map[string]any, field string) (bool, error) {
	name, negated := strings.CutPrefix(field, "!")
	v, ok := lookup(rec, name)
	if !ok {
		return false, nil
	}
	yes, known := v.(bool)
	if !known {
		s := strings.ToLower(strings.TrimSpace(text(v)))
		switch s {
		case "":
			return false, nil
		case "1", "true", "t", "yes", "y", "on", `\x01`, "\x01":
			yes = true
		case "0", "false", "f", "no", "n", "off", `\x00`, "\x00":
		default:
			return false, fmt.Errorf("the field %s is neither true nor false", name)
		}
	}
	return yes != negated, nil
}
