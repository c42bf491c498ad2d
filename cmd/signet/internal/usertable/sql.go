package usertable

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// openWordPress reads wp_users as CSV, or from the SQL that mysqldump, wp-cli and phpMyAdmin write.
func openWordPress(in *input, r *Reader) (source, error) {
	in.firstByte()
	start, _ := in.Peek(64)
	first := strings.ToLower(string(start))
	for _, sql := range []string{"--", "/*", "insert ", "create ", "drop ", "set ", "lock ", "start ", "use "} {
		if strings.HasPrefix(first, sql) {
			return &inserts{in: in}, nil
		}
	}
	return openCSV(in, r)
}

// wordPressColumns are those of wp_users, for dumps whose INSERT names none. Only networks of sites have the last two.
var wordPressColumns = []string{"ID", "user_login", "user_pass", "user_nicename", "user_email", "user_url", "user_registered",
	"user_activation_key", "user_status", "display_name", "spam", "deleted"}

// inserts has the rows of INSERT INTO …users. It reads MySQL's lexical rules and skips all other statements.
type inserts struct {
	in      *input
	line    int // line ends that were read
	columns []string
	inside  bool // of the VALUES of such a statement
}

// token is a word, a number, text in quotes, or a sign.
type token struct {
	text   string
	quoted byte // the quote: ' " or `; 0: none
}

func (t token) is(s string) bool { return t.quoted == 0 && strings.EqualFold(t.text, s) }

func (s *inserts) next() (map[string]any, int, error) {
	for {
		if s.inside {
			t, err := s.token()
			switch {
			case err != nil:
				return nil, s.line + 1, s.broken(err)
			case t.is("("):
				return s.row()
			case t.is(","):
				continue
			}
			s.inside = false // ; or ON DUPLICATE KEY …
			if !t.is(";") {
				if err := s.skip(); err != nil {
					return nil, s.line + 1, s.broken(err)
				}
			}
			continue
		}
		t, err := s.token()
		if errors.Is(err, io.EOF) {
			return nil, s.line + 1, io.EOF
		}
		if err == nil && t.is("insert") {
			err = s.begin()
		} else if err == nil && !t.is(";") {
			err = s.skip()
		}
		if err != nil {
			return nil, s.line + 1, s.broken(err)
		}
		s.in.recordEnds()
	}
}

func (s *inserts) broken(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the file ends in the middle of a statement, at line %d", s.line+1)
	}
	return fmt.Errorf("line %d: %w", s.line+1, err)
}

// begin reads from INSERT to VALUES. A statement about another table is skipped.
func (s *inserts) begin() error {
	var table token
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		if t.is("into") || t.is("ignore") || t.is(".") {
			continue
		}
		if t.is("(") || t.is("values") || t.is(";") {
			return s.columnsOf(t, table)
		}
		table = t // the last part of a name with a schema
	}
}

func (s *inserts) columnsOf(t, table token) error {
	if t.is(";") {
		return nil
	}
	if !strings.HasSuffix(strings.ToLower(table.text), "users") {
		return s.skip()
	}
	columns := wordPressColumns
	if t.is("(") {
		columns = nil
		for {
			name, err := s.token()
			if err != nil {
				return err
			}
			if name.is(")") {
				break
			}
			if !name.is(",") {
				columns = append(columns, name.text)
			}
			if len(columns) > 1000 {
				return errors.New("a statement names more than 1000 columns")
			}
		}
		values, err := s.token()
		if err != nil {
			return err
		}
		if !values.is("values") {
			return s.skip()
		}
	}
	s.columns, s.inside = columns, true
	return nil
}

// row reads the values of a row, behind its bracket.
func (s *inserts) row() (map[string]any, int, error) {
	at := s.line + 1
	rec := make(map[string]any, len(s.columns))
	n := 0
	for {
		t, err := s.token()
		if err != nil {
			return nil, at, s.broken(err)
		}
		switch {
		case t.is(","):
			continue
		case t.is(")"):
			s.in.recordEnds()
			if n > len(s.columns) || n < min(len(s.columns), 10) {
				return nil, at, &recordError{"", fmt.Errorf("the row has %d values, and the table %d columns", n, len(s.columns))}
			}
			return rec, at, nil
		case t.quoted == 0 && strings.EqualFold(t.text, "null"):
		case !utf8.ValidString(t.text):
			return nil, at, &recordError{"", errors.New("a value is not UTF-8")}
		case n < len(s.columns):
			rec[s.columns[n]] = t.text
		}
		n++
	}
}

// skip reads to the end of a statement.
func (s *inserts) skip() error {
	for {
		t, err := s.token()
		if err != nil {
			return err
		}
		s.in.recordEnds()
		if t.is(";") {
			return nil
		}
	}
}

func (s *inserts) byte() (byte, error) {
	b, err := s.in.ReadByte()
	if b == '\n' && err == nil {
		s.line++
	}
	return b, err
}

func (s *inserts) token() (token, error) {
	for {
		b, err := s.byte()
		if err != nil {
			return token{}, err
		}
		next, _ := s.in.Peek(2)
		switch {
		case b <= ' ':
		case b == '#', b == '-' && len(next) > 0 && next[0] == '-' && (len(next) < 2 || next[1] <= ' '):
			if err := s.until("\n"); err != nil {
				return token{}, err
			}
		case b == '/' && len(next) > 0 && next[0] == '*':
			if err := s.until("*/"); err != nil {
				return token{}, err
			}
		case b == '\'' || b == '"' || b == '`':
			text, err := s.quoted(b)
			return token{text, b}, err
		case bytes.IndexByte([]byte("(),;.="), b) >= 0:
			return token{text: string(b)}, nil
		default:
			return s.word(b)
		}
	}
}

// until reads to the end of a comment. A dump may end with one.
func (s *inserts) until(end string) error {
	var last [2]byte
	for {
		b, err := s.byte()
		if err != nil {
			return err
		}
		s.in.recordEnds()
		last[0], last[1] = last[1], b
		if strings.HasSuffix(string(last[:]), end) {
			return nil
		}
	}
}

// mysqlEscapes are those of MySQL; any other byte behind a backslash stands for itself.
var mysqlEscapes = map[byte]byte{'0': 0, 'n': '\n', 'r': '\r', 't': '\t', 'b': '\b', 'Z': 0x1a}

func (s *inserts) quoted(quote byte) (string, error) {
	var text []byte
	for {
		b, err := s.byte()
		if err != nil {
			return "", err
		}
		switch {
		case b == '\\' && quote != '`':
			if b, err = s.byte(); err != nil {
				return "", err
			}
			if e, ok := mysqlEscapes[b]; ok {
				b = e
			}
		case b == quote:
			if next, _ := s.in.Peek(1); len(next) == 0 || next[0] != quote {
				return string(text), nil
			}
			_, _ = s.byte() // the second of two
		}
		if text = append(text, b); len(text) > maxRecord {
			return "", errRecordTooLong
		}
	}
}

// word reads a word or a number.
func (s *inserts) word(b byte) (token, error) {
	word := []byte{b}
	for {
		next, err := s.in.Peek(1)
		if err != nil || next[0] <= ' ' || bytes.IndexByte([]byte("(),;=`'\""), next[0]) >= 0 {
			return token{text: string(word)}, nil
		}
		b, _ := s.byte()
		if word = append(word, b); len(word) > maxRecord {
			return token{}, errRecordTooLong
		}
	}
}
