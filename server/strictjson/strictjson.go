// Package strictjson reads JSON objects from outside: requests of the admin API, lines of an import, answers of an
// upstream. What two readers could understand in two ways is refused. An error names a member and what is wrong with it,
// and never quotes a value: values may be passwords.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	legacy "github.com/go-json-experiment/json/v1"
)

const maxDepth = 32

// Unmarshal is stricter than encoding/json: one object, in UTF-8, no member twice, none unknown, names as they are
// spelt. A null changes nothing of a string, as in encoding/json.
func Unmarshal(data []byte, into any) error {
	if !utf8.Valid(data) {
		return errors.New("the JSON is not UTF-8")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return errors.New("send a JSON object")
	}
	if err := check(data); err != nil {
		return describe(err)
	}
	return describe(json.Unmarshal(data, into, json.RejectUnknownMembers(true), legacy.MergeWithLegacySemantics(true)))
}

// refused is an error that has its words already.
type refused string

func (r refused) Error() string { return string(r) }

// check reads one value and everything in it. It refuses U+FFFD, which the decoder puts in the place of half a
// surrogate pair, and numbers that are no float64: services could not read a token with such a claim.
func check(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowInvalidUTF8(true))
	for whole := false; ; whole = dec.StackDepth() == 0 {
		token, err := dec.ReadToken()
		switch {
		case whole && errors.Is(err, io.EOF):
			return nil
		case whole:
			return refused("something follows the JSON object")
		case err != nil:
			return err
		case dec.StackDepth() > maxDepth:
			return refused("the JSON is nested more than " + strconv.Itoa(maxDepth) + " deep")
		case token.Kind() == '"' && strings.ContainsRune(token.String(), utf8.RuneError):
			return refused("a string holds U+FFFD or half a surrogate pair")
		case token.Kind() == '0' && !readable(token.String()):
			return refused("a number is larger than other readers of JSON take")
		}
	}
}

func readable(number string) bool {
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// describe words an error of the decoder. An error that is none of these could quote a value.
func describe(err error) error {
	var semantic *json.SemanticError
	var syntax *jsontext.SyntacticError
	var worded refused
	switch {
	case err == nil:
		return nil
	case errors.As(err, &worded):
		return worded
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return fmt.Errorf("the member %q is there twice", syntax.JSONPointer.LastToken())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return errors.New("this is not valid JSON, or ends too early")
	case errors.As(err, &syntax):
		return fmt.Errorf("this is not valid JSON, near byte %d", syntax.ByteOffset)
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return fmt.Errorf("there is no member %q here; leave it out", semantic.JSONPointer.LastToken())
	case errors.As(err, &semantic):
		return fmt.Errorf("%q is of the wrong JSON type", memberOf(semantic.JSONPointer))
	}
	return errors.New("this is not valid JSON")
}

// memberOf names the member that a pointer leads to, without indexes of lists.
func memberOf(pointer jsontext.Pointer) string {
	var names []string
	for token := range pointer.Tokens() {
		if strings.Trim(token, "0123456789") != "" {
			names = append(names, token)
		}
	}
	return strings.Join(names, ".")
}
