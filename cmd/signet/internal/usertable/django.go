package usertable

import (
	"regexp"
	"strings"

	"signet/server/admin/api"
)

// unsaltedMD5 is what UnsaltedMD5PasswordHasher of Django writes.
var unsaltedMD5 = regexp.MustCompile(`^[0-9a-f]{32}$`)

// convertDjango takes the fields of an object of dumpdata. Groups give their names to the users behind them, and objects
// of other models are left out.
func convertDjango(r *Reader, rec map[string]any, u *api.UserRecord, row *Row) error {
	fields, ok := rec["fields"].(map[string]any)
	if !ok {
		return errLeftOut
	}
	if text(rec["model"]) == "auth.group" {
		if r.groups == nil {
			r.groups = map[string]string{}
		}
		if id := text(rec["pk"]); id != "" && len(r.groups) < 100_000 {
			r.groups[id] = text(fields["name"])
		}
		return errLeftOut
	}
	password, isText := fields["password"].(string)
	if !isText { // not a model of users
		return errLeftOut
	}
	for name, v := range fields {
		if _, taken := rec[name]; !taken {
			rec[name] = v
		}
	}
	if !strings.HasPrefix(password, "!") { // set_unusable_password
		u.PasswordHash = password
	}
	switch {
	case strings.HasPrefix(password, "md5$"), strings.HasPrefix(password, "sha1$"): // other frameworks write these too
		u.HashScheme = "django"
	case unsaltedMD5.MatchString(password):
		u.HashScheme = "md5"
	}
	return nil
}
