package usertable

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is a CSV file (RFC 4180) whose first line names the columns.
type table struct {
	in      *input
	csv     *csv.Reader
	above   int // line ends before the first line
	columns []string
}

func openCSV(in *input, r *Reader) (source, error) {
	in.firstByte()
	t := &table{in: in, csv: csv.NewReader(in), above: in.skipped}
	t.csv.Comma = separator(in)
	t.csv.FieldsPerRecord = -1
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the first line, which must name the columns: %w", csvError(err))
	}
	in.recordEnds()
	t.columns = slices.Clone(header)
	for i, name := range t.columns {
		if !utf8.ValidString(name) {
			return nil, notUTF8(fmt.Sprintf("column %d of the first line", i+1))
		}
		t.columns[i] = strings.TrimSpace(name)
		if slices.Contains(t.columns[:i], t.columns[i]) && name != "" {
			return nil, fmt.Errorf("the first line names column %d as one before it; %s", i+1, t.names())
		}
	}
	return t, t.resolve(r)
}

// separator is the one of comma, semicolon and tab that the first line has most of.
func separator(in *input) rune {
	start, _ := in.Peek(4 << 10)
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best, most := ',', 0
	for _, c := range ",;\t" {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// resolve puts columns of the file in the place of the fields. What the options name must be there. Defaults may be
// missing and may be spelt another way, except for a username and a hash.
func (t *table) resolve(r *Reader) error {
	f, o := &r.format, &r.opts
	for _, field := range []struct {
		option string
		fields *[]string
		needed error
	}{{o.Username, &f.username, errors.New("name the one of the username with --username")},
		{o.Hash, &f.hash, noHashColumn(o.NoHash)}, {o.ID, &f.id, nil}, {o.Disabled, &f.disabled, nil},
		{o.Roles, &f.roles, nil}} {
		var there []string
		for _, name := range *field.fields {
			bare, negated := strings.CutPrefix(name, "!")
			column, ok := t.column(bare)
			switch {
			case ok && negated:
				there = append(there, "!"+column)
			case ok:
				there = append(there, column)
			case field.option != "":
				return t.missing(bare)
			}
		}
		if len(there) == 0 && field.needed != nil {
			return fmt.Errorf("the file has no column %s; %w. %s", strings.Join(*field.fields, ", "), field.needed, t.names())
		}
		*field.fields = there
	}
	r.noHash = len(f.hash) == 0
	for i, name := range o.Aliases {
		column, ok := t.column(name)
		if !ok {
			return t.missing(name)
		}
		o.Aliases[i] = column
	}
	for i, c := range o.Claims {
		column, ok := t.column(c.Field)
		if !ok {
			return t.missing(c.Field)
		}
		o.Claims[i].Field = column
	}
	return nil
}

// noHashColumn is the error for a table without a column of hashes; nil: there may be none.
func noHashColumn(allowed bool) error {
	if allowed {
		return nil
	}
	return errors.New("name the one of the hash with --hash. A table without passwords comes in with --no-hash or --not-moved")
}

func (t *table) missing(name string) error {
	return fmt.Errorf("the file has no column %q. %s", name, t.names())
}

// names lists the columns for a message. Without a header the first line is a user with a password hash or a password,
// and terminals and logs must not get it: all cells must look like names, and one must have a word that headers have.
func (t *table) names() string {
	header := false
	for _, name := range t.columns {
		if name != "" && (utf8.RuneCountInString(name) > maxColumnName || !columnName.MatchString(name)) {
			header = false
			break
		}
		header = header || headerWord.MatchString(name)
	}
	if !header {
		return fmt.Sprintf("Its first line has %d fields, which may be a user and are not shown: the first line must name the columns", len(t.columns))
	}
	return fmt.Sprintf("Its columns are %.500s", strings.Join(t.columns, ", "))
}

const maxColumnName = 41 // characters

var (
	columnName = regexp.MustCompile(`^[\pL_][\pL_ -]*\d?$`)
	headerWord = regexp.MustCompile(`(?i)(^|[_ -])(id|uid|user|login|e?mail|password|passwd|hash|phone)($|[_ -])` +
		`|^(user_?name|user_?id|(password|user)(hash|email|login|pass))$`)
)

// column returns the column of that name, or of that name without case and underscores. Of a path into a column that
// holds JSON, it is the first part.
func (t *table) column(name string) (string, bool) {
	if slices.Contains(t.columns, name) {
		return name, true
	}
	head, rest, dotted := strings.Cut(name, ".")
	for _, c := range t.columns {
		if plain(c) == plain(name) {
			return c, true
		}
		if dotted && plain(c) == plain(head) {
			return c + "." + rest, true
		}
	}
	return "", false
}

func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

func (t *table) next() (map[string]any, int, error) {
	cells, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, 0, io.EOF
	}
	if parse, ok := errors.AsType[*csv.ParseError](err); ok && parse.Line > parse.StartLine {
		// The lines between may be records that the quote has swallowed.
		return nil, t.above + parse.StartLine, fmt.Errorf(
			"a quote opens in the record at line %d and is not closed rightly up to line %d; inside of quotes it is written twice", t.above+parse.StartLine, t.above+parse.Line)
	} else if ok {
		t.in.recordEnds()
		return nil, t.above + parse.StartLine, &recordError{err: csvError(err)}
	}
	if err != nil {
		return nil, 0, fmt.Errorf("reading the file: %w", err)
	}
	t.in.recordEnds()
	line, _ := t.csv.FieldPos(0)
	line += t.above
	if len(cells) != len(t.columns) {
		return nil, line, &recordError{text: strings.Join(cells, string(t.csv.Comma)),
			err: fmt.Errorf("the record has %d fields, and the first line %d", len(cells), len(t.columns))}
	}
	rec := make(map[string]any, len(cells))
	invalid := -1
	for i, cell := range cells {
		switch {
		case utf8.ValidString(cell):
			rec[t.columns[i]] = cell
		case invalid < 0:
			invalid = i
		}
	}
	if invalid >= 0 {
		at, _ := t.csv.FieldPos(invalid)
		return nil, line, &recordError{rec: rec, err: notUTF8(fmt.Sprintf("the field %s in line %d", t.columns[invalid], t.above+at))}
	}
	return rec, line, nil
}

// csvError leaves out what encoding/csv adds.
func csvError(err error) error {
	switch {
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return errors.New("a quote is not closed, or stands where none may be; inside of quotes it is written twice")
	case errors.Is(err, errRecordTooLong):
		return errRecordTooLong
	}
	return err
}
