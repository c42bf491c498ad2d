package usertable

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"signet/cmd/signet/internal/usertable/sqldump"
	"signet/server/admin/api"
)

// openWordPress reads wp_users as CSV, or from a dump in SQL. There the roles are in wp_usermeta.
func openWordPress(in *input, r *Reader) (source, error) {
	if in.firstByte(); !looksLikeSQL(in.start()) {
		return openCSV(in, r)
	}
	return &dump{reader: r, roles: capabilities{of: map[blogUser]int{}, index: map[string]int{}},
		rows: sqldump.New(sqldump.Config{In: in, Line: in.skipped, Table: wordPressTable, TextEnds: in.recordEnds,
			MaxText: maxRecord, TooLong: errRecordTooLong})}, nil
}

const (
	usersTable    = "users"
	usermetaTable = "usermeta"
)

// wordPressTable returns the columns of wp_users and wp_usermeta, for dumps that name none. Only networks of sites have the
// last two of wp_users.
func wordPressTable(name string) (sqldump.Table, bool) {
	name = strings.ToLower(name)
	switch {
	case strings.HasSuffix(name, usersTable):
		return sqldump.Table{Least: 10, Columns: []string{"ID", "user_login", "user_pass", "user_nicename", "user_email", "user_url", "user_registered",
			"user_activation_key", "user_status", "display_name", "spam", "deleted"}}, true
	case strings.HasSuffix(name, usermetaTable):
		return sqldump.Table{Least: 4, Columns: []string{"umeta_id", "user_id", "meta_key", "meta_value"}}, true
	}
	return sqldump.Table{}, false
}

// dump has the users of a dump. The roles of those whose rows in wp_usermeta come first are in the field roles.
type dump struct {
	reader *Reader
	rows   *sqldump.Reader
	roles  capabilities
	users  bool // a user was read
}

func (d *dump) next() (map[string]any, int, error) {
	for {
		row, err := d.rows.Next()
		prefix, isMeta := strings.CutSuffix(strings.ToLower(row.Table), usermetaTable)
		one, ofRow := errors.AsType[*sqldump.RowError](err)
		switch {
		case isMeta && (err == nil || ofRow):
			if ofRow {
				continue // of any key; most are of no interest
			}
			if err := d.meta(prefix, row.Values); err != nil {
				return nil, row.Line, err
			}
			continue
		case ofRow && errors.Is(one, sqldump.ErrNotUTF8):
			err = &recordError{rec: row.Values, err: notUTF8(strings.TrimSuffix(one.Unwrap().Error(), " "+sqldump.ErrNotUTF8.Error()))}
		case ofRow:
			err = &recordError{err: one.Unwrap()} // its values may be in other columns, and the username may be a hash
		case err == nil:
			d.users = true
			err = d.withRoles(strings.TrimSuffix(strings.ToLower(row.Table), usersTable), row.Values)
		}
		return row.Values, row.Line, err
	}
}

// meta takes the roles of a user out of a row of wp_usermeta.
func (d *dump) meta(prefix string, row map[string]any) error {
	key, _ := row["meta_key"].(string)
	if !strings.EqualFold(key, prefix+"capabilities") {
		return nil
	}
	if d.users { // whose roles were asked for already
		d.reader.lateRoles = true
		return nil
	}
	id, _ := row["user_id"].(string)
	text, _ := row["meta_value"].(string)
	return d.roles.add(blogUser{prefix, id}, text)
}

// withRoles adds the roles to a row of wp_users.
func (d *dump) withRoles(prefix string, row map[string]any) error {
	id, _ := row["ID"].(string)
	roles, known, err := d.roles.find(blogUser{prefix, id})
	if _, named := row["roles"]; known && !named {
		row["roles"] = roles
	}
	if err != nil {
		return &recordError{rec: maps.Clone(row), text: marshal(row), err: err}
	}
	return nil
}

// blogUser is a user of the WordPress whose tables begin with the prefix.
type blogUser struct{ prefix, id string }

// capabilities has the roles of users. Most users have one of few lists, each of which is kept once: a user takes some 60 bytes.
type capabilities struct {
	of    map[blogUser]int // index of lists
	lists [][]any          // of text; nil: could not be read
	index map[string]int   // of lists, by the text of the dump
}

const (
	maxRoleUsers = 5_000_000
	maxRoleLists = 100_000
)

func (c *capabilities) add(user blogUser, text string) error {
	at, known := c.index[text]
	if !known {
		if len(c.lists) == maxRoleLists || len(text) > maxLine {
			return fmt.Errorf("wp_usermeta has more than %d different lists of roles, or a longer one than %d KiB", maxRoleLists, maxLine>>10)
		}
		list, err := unserialize(text)
		if err != nil {
			list = nil
		}
		at = len(c.lists)
		c.lists, c.index[strings.Clone(text)] = append(c.lists, list), at
	}
	if c.of[user] = at; len(c.of) > maxRoleUsers {
		return fmt.Errorf("wp_usermeta has roles of more than %d users: dump the users in parts, each with its rows of wp_usermeta", maxRoleUsers)
	}
	return nil
}

func (c *capabilities) find(user blogUser) (roles []any, known bool, err error) {
	at, known := c.of[user]
	if !known {
		return nil, false, nil
	}
	if roles = c.lists[at]; roles == nil {
		return nil, false, errors.New("its roles in wp_usermeta cannot be read")
	}
	return roles, true, nil
}

// unserialize returns the keys that are true of an array as PHP writes it, such as a:1:{s:6:"editor";b:1;}.
func unserialize(text string) (roles []any, err error) {
	broken := errors.New("not an array of PHP")
	rest, ok := strings.CutPrefix(text, "a:")
	count, rest, found := strings.Cut(rest, ":{")
	n, err := strconv.Atoi(count)
	if !ok || !found || err != nil {
		return nil, broken
	}
	roles = []any{}
	for range n {
		key, behind, err := phpText(rest)
		if err != nil {
			return nil, err
		}
		value, behind, found := strings.Cut(behind, ";")
		if found && strings.HasPrefix(value, "s:") {
			value, behind, err = phpText(value + ";" + behind)
		}
		if !found || err != nil {
			return nil, broken
		}
		switch value {
		case "b:1", "i:1", "1":
			roles = append(roles, key)
		}
		rest = behind
	}
	if rest != "}" {
		return nil, broken
	}
	return roles, nil
}

// phpText reads s:6:"editor"; whose number is that of the bytes.
func phpText(text string) (value, rest string, err error) {
	size, rest, found := strings.Cut(strings.TrimPrefix(text, "s:"), ":")
	n, err := strconv.Atoi(size)
	if !found || !strings.HasPrefix(text, "s:") || err != nil || n < 0 || n > len(rest)-3 || rest[0] != '"' || rest[n+1:n+3] != `";` {
		return "", "", errors.New("not text of PHP")
	}
	return rest[1 : n+1], rest[n+3:], nil
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
