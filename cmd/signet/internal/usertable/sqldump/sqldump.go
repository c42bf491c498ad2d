// Package sqldump reads the rows of tables from the SQL that mysqldump, wp-cli and phpMyAdmin write.
//
// It reads a dump from its beginning to its end and holds one row at a time. The columns of a row are those that its INSERT
// names, else those of the table's CREATE TABLE.
package sqldump

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Source is the text of a dump. *bufio.Reader is one.
type Source interface {
	ReadByte() (byte, error)
	Peek(n int) ([]byte, error)
}

// Config configures a Reader.
type Config struct {
	In    Source
	Line  int                             // lines that were read before
	Table func(name string) (Table, bool) // not ok: the rows of that table are skipped
	// TextEnds is called when what was read is not needed any more. TooLong is the error for text that is longer than
	// MaxText bytes.
	TextEnds func()
	MaxText  int
	TooLong  error
}

// Table is a table whose rows are wanted.
type Table struct {
	// Columns are those of a table that neither CREATE TABLE nor INSERT names the columns of. The last of them may be missing
	// from the rows: Least are there.
	Columns []string
	Least   int
}

// Row is a row of a table.
type Row struct {
	Table  string         // as the dump spells it, without a schema
	Values map[string]any // by column; text, and none where it is NULL
	Line   int            // where it begins
}

// RowError is about one row. What is behind it can be read.
type RowError struct{ error }

// Unwrap returns the cause.
func (e *RowError) Unwrap() error { return e.error }

// ErrNotUTF8 means that a value is not UTF-8.
var ErrNotUTF8 = errors.New("is not UTF-8")

// Reader returns the rows of INSERT INTO. It reads MySQL's lexical rules and skips all other statements.
type Reader struct {
	in        Config
	line      int                 // line ends that were read
	created   map[string][]string // columns by the name of the table
	table     string              // of the INSERT
	columns   []string
	least     int  // values in a row
	inside    bool // of the VALUES of an INSERT
	statement int  // the line where that begins
	row       int  // of that statement
}

// New returns a Reader.
func New(c Config) *Reader { return &Reader{in: c, line: c.Line, created: map[string][]string{}} }

// token is a word, a number, text in quotes, or a sign.
type token struct {
	text   string
	quoted byte // the quote: ' " or `; 0: none
}

func (t token) is(s string) bool { return t.quoted == 0 && strings.EqualFold(t.text, s) }

// Next returns the next row. io.EOF is the end of the dump, a *RowError concerns one row, and any other error all that is
// behind it. A row with an error has its line.
func (r *Reader) Next() (Row, error) {
	for {
		if r.inside {
			t, err := r.token()
			switch {
			case err != nil:
				return Row{Line: r.line + 1}, r.broken(err)
			case t.is("("):
				return r.values()
			case t.is(","):
				continue
			}
			r.inside = false // ; or ON DUPLICATE KEY …
			if !t.is(";") {
				if err := r.skip(); err != nil {
					return Row{Line: r.line + 1}, r.broken(err)
				}
			}
			continue
		}
		t, err := r.token()
		if errors.Is(err, io.EOF) {
			return Row{Line: r.line + 1}, io.EOF
		}
		r.statement, r.row = r.line+1, 0
		if err == nil && t.is("insert") {
			err = r.begin()
		} else if err == nil && t.is("create") {
			err = r.create()
		} else if err == nil && !t.is(";") {
			err = r.skip()
		}
		if err != nil {
			return Row{Line: r.line + 1}, r.broken(err)
		}
		r.in.TextEnds()
	}
}

func (r *Reader) broken(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file ends in the middle of a statement, at line %d", r.line+1)
	}
	return fmt.Errorf("line %d: %w", r.line+1, err)
}

// begin reads from INSERT to VALUES. A statement about another table is skipped.
func (r *Reader) begin() error {
	var table token
	for {
		t, err := r.token()
		if err != nil {
			return err
		}
		if t.is("into") || t.is("ignore") || t.is(".") {
			continue
		}
		if t.is("(") || t.is("values") || t.is(";") {
			return r.columnsOf(t, table)
		}
		table = t // the last part of a name with a schema
	}
}

// columnsOf reads the columns of the table, or takes those that are known of it.
func (r *Reader) columnsOf(t, table token) error {
	if t.is(";") {
		return nil
	}
	wanted, ok := r.in.Table(table.text)
	if !ok {
		return r.skip()
	}
	columns, least := wanted.Columns, wanted.Least
	if created := r.created[strings.ToLower(table.text)]; created != nil {
		columns, least = created, len(created)
	}
	if t.is("(") {
		columns = nil
		for {
			name, err := r.token()
			if err != nil {
				return err
			}
			if name.is(")") {
				break
			}
			if !name.is(",") {
				columns = append(columns, name.text)
			}
			if len(columns) > maxColumns {
				return errTooMany
			}
		}
		values, err := r.token()
		if err != nil {
			return err
		}
		if !values.is("values") {
			return r.skip()
		}
		least = len(columns)
	}
	r.table, r.columns, r.least, r.inside = table.text, columns, least, true
	return nil
}

// maxColumns bounds the columns of a table, and maxTables the tables whose columns are kept.
const (
	maxColumns = 1000
	maxTables  = 1000
)

var errTooMany = fmt.Errorf("a statement names more than %d columns", maxColumns)

// create reads the columns of CREATE TABLE. Any other CREATE is skipped.
func (r *Reader) create() error {
	t, err := r.token()
	if err == nil && t.is("temporary") {
		t, err = r.token()
	}
	if err != nil || t.is(";") {
		return err
	}
	if !t.is("table") {
		return r.skip()
	}
	var table token
	for {
		if t, err = r.token(); err != nil || t.is(";") {
			return err
		}
		if t.is("(") {
			break
		}
		if t.is("like") || t.is("select") || t.is("as") {
			return r.skip()
		}
		table = t // the last part of a name with a schema
	}
	if _, wanted := r.in.Table(table.text); !wanted || len(r.created) == maxTables {
		return r.skip()
	}
	columns, err := r.defined()
	if err != nil {
		return err
	}
	r.created[strings.ToLower(table.text)] = columns
	return r.skip()
}

// keyWords begin what is no column in a CREATE TABLE.
var keyWords = []string{"primary", "unique", "key", "index", "fulltext", "spatial", "constraint", "foreign", "check"}

// defined reads the definitions of a CREATE TABLE behind its bracket, and returns the names of the columns.
func (r *Reader) defined() (columns []string, err error) {
	begins := true // a definition
	for depth := 1; ; {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		r.in.TextEnds()
		switch {
		case t.is("("):
			depth++
		case t.is(")"):
			if depth--; depth == 0 {
				return columns, nil
			}
		case t.is(",") && depth == 1:
			begins = true
			continue
		case begins && (t.quoted != 0 || !slices.ContainsFunc(keyWords, t.is)):
			if columns = append(columns, t.text); len(columns) > maxColumns {
				return nil, errTooMany
			}
		}
		begins = false
	}
}

// values reads the values of a row, behind its bracket.
func (r *Reader) values() (Row, error) {
	row := Row{r.table, make(map[string]any, len(r.columns)), r.line + 1}
	r.row++
	n, invalid := 0, -1
	for {
		t, err := r.token()
		if err != nil {
			return row, r.broken(err)
		}
		switch {
		case t.is(","):
			continue
		case t.is(")"):
			r.in.TextEnds()
			if n > len(r.columns) || n < r.least {
				return row, r.refuse(fmt.Errorf("values: %d, columns of the table: %d", n, len(r.columns)))
			}
			if invalid >= 0 {
				return row, r.refuse(fmt.Errorf("the value of %s %w", r.columns[invalid], ErrNotUTF8))
			}
			return row, nil
		case t.is("null"):
		case n >= len(r.columns):
		case !utf8.ValidString(t.text):
			invalid = n
		default:
			row.Values[r.columns[n]] = t.text
		}
		n++
	}
}

// refuse names the row: a dump may have all of them in one line.
func (r *Reader) refuse(err error) error {
	return &RowError{fmt.Errorf("row %d of the statement at line %d: %w", r.row, r.statement, err)}
}

// skip reads to the end of a statement.
func (r *Reader) skip() error {
	for {
		t, err := r.token()
		if err != nil {
			return err
		}
		r.in.TextEnds()
		if t.is(";") {
			return nil
		}
	}
}

func (r *Reader) byte() (byte, error) {
	b, err := r.in.In.ReadByte()
	if b == '\n' && err == nil {
		r.line++
	}
	return b, err
}

func (r *Reader) token() (token, error) {
	for {
		b, err := r.byte()
		if err != nil {
			return token{}, err
		}
		next, _ := r.in.In.Peek(2)
		switch {
		case b <= ' ':
		case b == '#', b == '-' && len(next) > 0 && next[0] == '-' && (len(next) < 2 || next[1] <= ' '):
			if err := r.until("\n"); err != nil {
				return token{}, err
			}
		case b == '/' && len(next) > 0 && next[0] == '*':
			if err := r.until("*/"); err != nil {
				return token{}, err
			}
		case b == '\'' || b == '"' || b == '`':
			text, err := r.quoted(b)
			return token{text, b}, err
		case bytes.IndexByte([]byte("(),;.="), b) >= 0:
			return token{text: string(b)}, nil
		default:
			return r.word(b)
		}
	}
}

// until reads to the end of a comment. A dump may end with one.
func (r *Reader) until(end string) error {
	var last [2]byte
	for {
		b, err := r.byte()
		if err != nil {
			return err
		}
		r.in.TextEnds()
		last[0], last[1] = last[1], b
		if strings.HasSuffix(string(last[:]), end) {
			return nil
		}
	}
}

// mysqlEscapes are those of MySQL; any other byte behind a backslash stands for itself.
var mysqlEscapes = map[byte]byte{'0': 0, 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'Z': 0x1a}

func (r *Reader) quoted(quote byte) (string, error) {
	var text []byte
	for {
		b, err := r.byte()
		if err != nil {
			return "", err
		}
		switch {
		case b == '\\' && quote != '`':
			if b, err = r.byte(); err != nil {
				return "", err
			}
			if e, ok := mysqlEscapes[b]; ok {
				b = e
			}
		case b == quote:
			if next, _ := r.in.In.Peek(1); len(next) == 0 || next[0] != quote {
				return string(text), nil
			}
			_, _ = r.byte() // the second of two
		}
		if text = append(text, b); len(text) > r.in.MaxText {
			return "", r.in.TooLong
		}
	}
}

// word reads a word or a number.
func (r *Reader) word(b byte) (token, error) {
	word := []byte{b}
	for {
		next, err := r.in.In.Peek(1)
		if err != nil || next[0] <= ' ' || bytes.IndexByte([]byte("(),;=`'\""), next[0]) >= 0 {
			return token{text: string(word)}, nil
		}
		b, _ := r.byte()
		if word = append(word, b); len(word) > r.in.MaxText {
			return token{}, r.in.TooLong
		}
	}
}
