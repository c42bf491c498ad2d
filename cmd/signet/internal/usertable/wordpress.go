package usertable

import (
	"errors"
	"strings"

	"signet/cmd/signet/internal/usertable/sqldump"
	"signet/server/admin/api"
)

// openWordPress reads wp_users as CSV, or from a dump in SQL.
func openWordPress(in *input, r *Reader) (source, error) {
	if in.firstByte(); !looksLikeSQL(in.start()) {
		return openCSV(in, r)
	}
	return dump{sqldump.New(sqldump.Config{In: in, Line: in.skipped, Columns: wordPressColumns, Least: 10,
		Table:    func(name string) bool { return strings.HasSuffix(strings.ToLower(name), "users") },
		TextEnds: in.recordEnds, MaxText: maxRecord, TooLong: errRecordTooLong})}, nil
}

// wordPressColumns are those of wp_users, for dumps that name none. Only networks of sites have the last two.
var wordPressColumns = []string{"ID", "user_login", "user_pass", "user_nicename", "user_email", "user_url", "user_registered",
	"user_activation_key", "user_status", "display_name", "spam", "deleted"}

// dump has the rows of a table in a dump.
type dump struct{ rows *sqldump.Reader }

func (d dump) next() (map[string]any, int, error) {
	row, err := d.rows.Next()
	if one, ok := errors.AsType[*sqldump.RowError](err); ok {
		err = &recordError{err: one.Unwrap()} // its values may be in other columns, and the username may be a hash
		if errors.Is(one, sqldump.ErrNotUTF8) {
			err = &recordError{rec: row.Values, err: notUTF8(strings.TrimSuffix(one.Unwrap().Error(), " "+sqldump.ErrNotUTF8.Error()))}
		}
	}
	return row.Values, row.Line, err
}

// convertWordPress reads wp_users. The scheme is named because WordPress puts backslashes before quotes of a password. Hashes
// of plugins have spellings of their own.
func convertWordPress(_ *Reader, _ map[string]any, u *api.UserRecord, _ *Row) error {
	h := u.PasswordHash
	if strings.HasPrefix(h, "$P$") || strings.HasPrefix(h, "$wp$") || strings.HasPrefix(h, "$2y$") || len(h) == 32 && strings.Trim(h, "0123456789abcdef") == "" {
		u.HashScheme = "wordpress"
	}
	return nil
}
