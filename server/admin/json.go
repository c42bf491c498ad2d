package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	legacy "github.com/go-json-experiment/json/v1"

	"signet/server/admin/api"
	"signet/server/edge"
)

const (
	maxBody  = 1 << 20
	maxDepth = 32
)

// readJSON reads the body, one JSON object, into the value and returns its bytes. An empty body is an object without
// members.
func readJSON(r *Request, into any) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &edge.Error{Status: http.StatusRequestEntityTooLarge, Code: api.CodeInvalid, Close: true, Description: "the body is larger than 1 MiB"}
	case err != nil:
		e := invalid("the body could not be read to its end")
		e.Close = true
		return nil, e
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	return body, decodeJSON(body, into)
}

// decodeJSON is stricter than encoding/json: one object, in UTF-8, no member twice, none unknown, names as they are
// spelt. Its errors never quote a value: values may be passwords. A null changes nothing of a string, as in
// encoding/json.
func decodeJSON(data []byte, into any) error {
	if !utf8.Valid(data) {
		return invalid("the JSON is not UTF-8")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return invalid("send a JSON object")
	}
	if err := checkJSON(data); err != nil {
		return jsonError(err)
	}
	return jsonError(json.Unmarshal(data, into, json.RejectUnknownMembers(true), legacy.MergeWithLegacySemantics(true)))
}

// checkJSON reads one value and everything in it. It refuses U+FFFD, which the decoder puts in the place of half a
// surrogate pair, and numbers that are no float64: services could not read a token with such a claim.
func checkJSON(data []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowInvalidUTF8(true))
	for whole := false; ; whole = dec.StackDepth() == 0 {
		token, err := dec.ReadToken()
		switch {
		case whole && errors.Is(err, io.EOF):
			return nil
		case whole:
			return invalid("something follows the JSON object")
		case err != nil:
			return err
		case dec.StackDepth() > maxDepth:
			return invalid("the JSON is nested more than %d deep", maxDepth)
		case token.Kind() == '"' && strings.ContainsRune(token.String(), utf8.RuneError):
			return invalid("a string holds U+FFFD or half a surrogate pair")
		case token.Kind() == '0' && !readable(token.String()):
			return invalid("a number is larger than other readers of JSON take")
		}
	}
}

func readable(number string) bool {
	_, err := strconv.ParseFloat(number, 64)
	return err == nil
}

// jsonError words an error of the decoder.
func jsonError(err error) error {
	var semantic *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntax):
		return invalid("the member %q is there twice", syntax.JSONPointer.LastToken())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return invalid("this is not valid JSON, or ends too early")
	case errors.As(err, &syntax):
		return invalid("this is not valid JSON, near byte %d", syntax.ByteOffset)
	case errors.Is(err, json.ErrUnknownName) && errors.As(err, &semantic):
		return invalid("there is no member %q here; leave it out", semantic.JSONPointer.LastToken())
	case errors.As(err, &semantic):
		return invalid("%q is of the wrong JSON type", memberOf(semantic.JSONPointer))
	}
	return err
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
