package usertable

import (
	"strings"
	"time"

	"signet/server/admin/api"
)

// convertSupabase reads auth.users: a ban that has not ended disables.
func convertSupabase(r *Reader, rec map[string]any, u *api.UserRecord, _ *Row) error {
	banned := first(rec, []string{"banned_until"})
	if banned != "" && (banned == "infinity" || !ended(banned, r.opts.Now)) || first(rec, []string{"deleted_at"}) != "" {
		u.Disabled = new(true)
	}
	return nil
}

// convertASPNET reads AspNetUsers: a lockout of more than a year is a block by an administrator.
func convertASPNET(r *Reader, rec map[string]any, u *api.UserRecord, _ *Row) error {
	if end := first(rec, []string{"LockoutEnd", "LockoutEndDateUtc"}); end != "" && !ended(end, r.opts.Now.AddDate(1, 0, 0)) {
		u.Disabled = new(true)
	}
	return nil
}

// ended reports whether a time as databases write it is before now. One that cannot be read has not ended.
func ended(at string, now time.Time) bool {
	at = strings.TrimSpace(at)
	for _, layout := range []string{"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04:05.999999999 Z07:00",
		"2006-01-02 15:04:05.999999999", time.RFC3339Nano} {
		if t, err := time.Parse(layout, at); err == nil {
			return t.Before(now)
		}
	}
	return false
}
