package usertable

import (
	"fmt"
	"strings"

	"signet/server/admin/api"
)

// convertAuth0 reads the export of password hashes, the export of users and the schema of bulk imports.
func convertAuth0(_ *Reader, rec map[string]any, u *api.UserRecord, row *Row) error {
	u.PasswordHash = first(rec, []string{"passwordHash", "password_hash"})
	if first(rec, []string{"user_id", "Id"}) == "" {
		if oid := first(rec, []string{"_id.$oid", "_id"}); oid != "" {
			row.ID = "auth0|" + strings.TrimPrefix(oid, "auth0|") // the sub of its tokens
		}
	}
	custom, ok := rec["custom_password_hash"].(map[string]any)
	if !ok {
		return nil
	}
	u.PasswordHash = first(custom, []string{"hash.value"})
	switch algorithm := first(custom, []string{"algorithm"}); algorithm {
	case "bcrypt", "argon2", "pbkdf2", "ldap":
	case "md5", "sha1", "sha256", "sha512":
		encoding := first(custom, []string{"hash.encoding"})
		if custom["salt"] != nil || encoding != "" && encoding != "hex" {
			return fmt.Errorf("custom_password_hash: %s with a salt of its own, or not in hex", algorithm)
		}
		u.HashScheme = algorithm
	default:
		return fmt.Errorf("custom_password_hash: the algorithm %.20q is not read", algorithm)
	}
	return nil
}
