package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"signet/server/admin/api"
	"signet/server/edge"
)

const (
	maxAdminBody  = 1 << 20
	maxAdminDepth = 32
)

// readJSON reads the body, one JSON object, into the value and returns its bytes. No body at all is
// an object without members.
func readJSON(r *Request, into any) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Body, maxAdminBody))
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

// decodeJSON is stricter than encoding/json: one object, in UTF-8, no member twice, none unknown,
// names as they are spelt. It never quotes a value in an error: values may be passwords.
func decodeJSON(data []byte, into any) error {
	if !utf8.Valid(data) {
		return invalid("the JSON is not UTF-8")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return invalid("send a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := checkValue(dec, 0); err != nil {
		return jsonProblem(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return invalid("something follows the JSON object")
	}
	dec = json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	return jsonProblem(dec.Decode(into))
}

func jsonProblem(err error) error {
	if err == nil {
		return nil
	}
	var ours *edge.Error
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &wrongType):
		return invalid("%q is of the wrong JSON type", wrongType.Field)
	case errors.As(err, &syntax):
		return invalid("this is not valid JSON, near byte %d", syntax.Offset)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return invalid("there is no member %s here; leave it out", name)
	}
	return invalid("this is not valid JSON, or ends too early")
}

// checkValue reads one value and everything in it.
func checkValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return err
	}
	switch token := token.(type) {
	case string:
		return checkText(token)
	case json.Delim:
		if depth == maxAdminDepth {
			return invalid("the JSON is nested more than %d deep", maxAdminDepth)
		}
		if token == '{' {
			err = checkMembers(dec, depth)
		} else {
			err = checkElements(dec, depth)
		}
		if err == nil {
			_, err = dec.Token() // the closing bracket
		}
		return err
	}
	return nil
}

func checkElements(dec *json.Decoder, depth int) error {
	for dec.More() {
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func checkMembers(dec *json.Decoder, depth int) error {
	seen := make(map[string]bool)
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // in an object the decoder accepts nothing else here
		if err := checkText(name); err != nil {
			return err
		}
		if seen[name] {
			return invalid("the member %q is there twice", name)
		}
		if depth == 0 && !plainName(name) {
			return invalid("there is no member %q here; leave it out", name)
		}
		seen[name] = true
		if err := checkValue(dec, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// plainName reports whether the name can be one of ours. encoding/json also takes other spellings.
func plainName(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") == ""
}

// checkText refuses what encoding/json puts where half a surrogate pair was written.
func checkText(s string) error {
	if strings.ContainsRune(s, utf8.RuneError) {
		return invalid("a string holds U+FFFD or half a surrogate pair")
	}
	return nil
}
