package usertable

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// kinds are what a file is for people, by the format that reads it.
var kinds = map[string]string{
	"signet": "a file of JSON objects with username", "csv": "CSV", "aspnet": "CSV", "supabase": "CSV", "wordpress": "a table of WordPress in CSV or SQL",
	"auth0":  "an export of Auth0",
	"django": "dumpdata of Django, whose objects have model and fields", "firebase": "an export of Firebase", "keycloak": "an export of a Keycloak realm",
}

// checkKind refuses a file that is of another kind than the format. Each of its lines would be refused otherwise, with a reason
// that is not the true one.
func checkKind(in *input, format string) error {
	start := in.start()
	isCSV := slices.Contains([]string{"csv", "aspnet", "supabase", "wordpress"}, format)
	looks, with := "", "" // what the file looks like, and the format that reads it
	switch {
	case len(start) == 0:
		return errors.New("the file is empty")
	case start[0] == '{' || start[0] == '[':
		with = jsonFormat(start)
		if looks = kinds[with]; looks == "" {
			looks = "other JSON"
		}
		if with == format || with == "" && !isCSV && format != "django" {
			return nil
		}
	case start[0] == '<':
		looks = "HTML or XML"
	case surelySQL.Match(start):
		if looks = "a dump in SQL"; format == "wordpress" {
			return nil
		}
	case isCSV:
		return nil
	default:
		looks = "text that is not JSON"
		if line, _, _ := bytes.Cut(start, []byte("\n")); bytes.ContainsAny(line, ",;\t") {
			looks, with = "CSV", "csv"
		}
	}
	choose := "choose another format with --format"
	if with != "" {
		choose = "choose --format " + with
	}
	return fmt.Errorf("the file is no %s. It looks like %s; %s", article.ReplaceAllString(kinds[format], ""), looks, choose)
}

var (
	article   = regexp.MustCompile(`^an? `)
	surelySQL = regexp.MustCompile(`(?i)^(--|/\*|insert\s+into\s|create\s+table\s|drop\s+table\s)`)
)

// looksLikeSQL reports whether the text begins as a dump does.
func looksLikeSQL(start []byte) bool {
	first := strings.ToLower(string(start[:min(len(start), 16)]))
	return slices.ContainsFunc([]string{"--", "/*", "insert ", "create ", "drop ", "set ", "lock ", "start ", "use "},
		func(s string) bool { return strings.HasPrefix(first, s) })
}

// jsonFormat returns the format that reads a file that begins so, or "" where that is not sure.
func jsonFormat(start []byte) string {
	outer, user := members(start)
	has := func(list []string, names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(list, n) })
	}
	switch {
	case has(outer, "model", "fields"), has(outer, "model", "pk"):
		return "django"
	case has(user, "localId"), has(outer, "localId"):
		return "firebase"
	case has(outer, "realm"), has(user, "username"), has(outer, "credentials"):
		return "keycloak"
	case has(outer, "user_id"), has(outer, "custom_password_hash"), has(outer, "connection", "passwordHash"):
		return "auth0"
	case has(outer, "username", "password_hash"), has(outer, "reason"):
		return "signet"
	}
	return ""
}

// members returns the names of the members of the first object, as far as the text goes, and those of the first of its users.
func members(start []byte) (outer, user []string) {
	dec := jsontext.NewDecoder(bytes.NewReader(start), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	first := 1 // depth of the object
	if start[0] == '[' {
		first = 2
	}
	for last := ""; ; {
		t, err := dec.ReadToken()
		if err != nil {
			return outer, user
		}
		depth := dec.StackDepth()
		if t.Kind() == '}' && depth < first {
			return outer, user
		}
		kind, n := dec.StackIndex(depth)
		isName := t.Kind() == '"' && kind == '{' && n%2 == 1
		switch {
		case isName && depth == first:
			last = t.String()
			outer = append(outer, last)
		case isName && depth == first+2 && last == "users":
			user = append(user, t.String())
		}
	}
}
