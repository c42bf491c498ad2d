package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

var errNoObject = errors.New("it is not a JSON object")

// object reads one JSON object, member by member. Unlike encoding/json it takes names only as they
// are spelt and none twice, so that no two readers of one document see two things in it.
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

// text reads a JSON string. It is false for every other type, null among them, and for half a
// surrogate pair, which encoding/json would replace.
func text(value json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(value, &s) != nil || s == nil || strings.ContainsRune(*s, utf8.RuneError) {
		return "", false
	}
	return *s, true
}

// quote shows what others have written, as far as it is bearable in a line of a log.
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
