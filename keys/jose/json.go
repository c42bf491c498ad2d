package jose

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	exact "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unmarshal decodes JSON of an untrusted source. Unlike encoding/json it takes names exactly as
// they are spelt: {"SCOPE":…} sets no scope. It refuses a name that is given twice, and what is not
// UTF-8. Its errors quote the input, so they are not for answers or logs.
func Unmarshal(data []byte, into any) error { return exact.Unmarshal(data, into) }

// UnmarshalSigned decodes JSON that this install has signed. All of it must stay readable, so that it
// can be revoked: of a name that is given twice the last one counts, which in a token is the
// registered claim. Its errors quote the input too.
func UnmarshalSigned(data []byte, into any) error {
	return exact.Unmarshal(data, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

var errNoObject = errors.New("it is not a JSON object")

// object reads one JSON object, member by member. Unlike encoding/json it takes names only as they
// are spelt and none twice, so that all readers of one document find the same members.
func object(data []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errNoObject
	}
	members := make(map[string]json.RawMessage, 8)
	for dec.More() {
		if err := readMember(dec, members); err != nil {
			return nil, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, errNoObject
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("something follows the JSON object")
	}
	return members, nil
}

func readMember(dec *json.Decoder, members map[string]json.RawMessage) error {
	token, err := dec.Token()
	name, ok := token.(string)
	if err != nil || !ok {
		return errNoObject
	}
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		return errNoObject
	}
	if _, twice := members[name]; twice {
		return fmt.Errorf("the member %s is there twice", quote(name))
	}
	members[name] = value
	return nil
}

// text reads a JSON string. It returns false for every other type, null included, and for half a
// surrogate pair, which encoding/json would replace.
func text(value json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(value, &s) != nil || s == nil || strings.ContainsRune(*s, utf8.RuneError) {
		return "", false
	}
	return *s, true
}

// quote quotes foreign text, cut to the length of a line of a log.
func quote(s string) string {
	if len(s) > 100 {
		return fmt.Sprintf("%.97q…", s)
	}
	return fmt.Sprintf("%q", s)
}

func quoteAll(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, name := range names {
		quoted = append(quoted, quote(name))
	}
	return strings.Join(quoted, ", ")
}
