package sqldump_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"signet/cmd/signet/internal/usertable/sqldump"
)

var errTooLong = errors.New("too long")

// render reads the rows of the table t, whose columns are a and b, of which b may be missing.
func render(dump string) string {
	r := sqldump.New(sqldump.Config{In: bufio.NewReader(strings.NewReader(dump)), TextEnds: func() {}, MaxText: 100, TooLong: errTooLong,
		Table: func(name string) (sqldump.Table, bool) {
			return sqldump.Table{Columns: []string{"a", "b"}, Least: 1}, name == "t"
		}})
	var b strings.Builder
	for {
		row, err := r.Next()
		_, one := errors.AsType[*sqldump.RowError](err)
		switch {
		case errors.Is(err, io.EOF):
			return b.String()
		case one:
			fmt.Fprintf(&b, "%d: %v\n", row.Line, err)
		case err != nil:
			fmt.Fprintf(&b, "ends: %v\n", err)
			return b.String()
		default:
			fmt.Fprintf(&b, "%d %v\n", row.Line, row.Values)
		}
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct{ name, dump, want string }{
		{"nothing", "", ""},
		{"columns of the caller", "INSERT INTO t VALUES (1,2),\n(3);", "1 map[a:1 b:2]\n2 map[a:3]\n"},
		{"of INSERT", "INSERT INTO `s`.`t` (`b`, `c`) VALUES ('x', NULL), ('NULL', 'it''s \\'\\n');", "1 map[b:x]\n1 map[b:NULL c:it's '\n]\n"},
		{"of CREATE TABLE", "CREATE TABLE t (x int, `key` text);INSERT INTO t VALUES (1,2);", "1 map[key:2 x:1]\n"},
		{"of another table", "CREATE TABLE u (x int);INSERT INTO u VALUES (1);INSERT INTO t VALUES (1);", "1 map[a:1]\n"},
		{"too few", "CREATE TABLE t (x int, y int);\nINSERT INTO t VALUES (1,2),(3),(4,5);", "2 map[x:1 y:2]\n2: row 2 of the statement at line 2: values: 1, columns of the table: 2\n2 map[x:4 y:5]\n"},
		{"not UTF-8", "INSERT INTO t VALUES (1,'\xe9');", "1: row 1 of the statement at line 1: the value of b is not UTF-8\n"},
		{"comments", "-- (\n# (\n/* ( */ INSERT /* , */ INTO t VALUES (1);", "3 map[a:1]\n"},
		{"no rows", "INSERT INTO t SELECT * FROM u; INSERT INTO t (a) SELECT 1; CREATE TABLE t LIKE u; CREATE; CREATE TABLE t;", ""},
		{"cut", "INSERT INTO t VALUES (1),(2", "1 map[a:1]\nends: the file ends in the middle of a statement, at line 1\n"},
		{"a cut definition", "CREATE TABLE t (a int,", "ends: the file ends in the middle of a statement, at line 1\n"},
		{"long", "INSERT INTO t VALUES ('" + strings.Repeat("x", 101), "ends: line 1: too long\n"},
		{"many columns", "CREATE TABLE t (" + strings.Repeat("a int,", 1001), "ends: line 1: a statement names more than 1000 columns\n"},
	} {
		if got := render(c.dump); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add("CREATE TABLE t (x int, PRIMARY KEY (x)) COMMENT 'y';\nINSERT INTO t (a) VALUES (1,'b\\'c'),(NULL) ON DUPLICATE KEY UPDATE a=1;")
	f.Fuzz(func(t *testing.T, dump string) {
		if got := render(dump); strings.Count(got, "\n") > 2*len(dump)+1 {
			t.Errorf("%q: got %q", dump, got)
		}
	})
}
