package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"
)

const (
	maxBody       = 64 << 10
	maxParameters = 64
)

// form holds the parameters of a request body that Signet knows. Each stands in it once and is not
// empty: an empty parameter counts as omitted (RFC 6749 §3.2).
type form struct {
	values    map[string]string
	resources []string // RFC 8707 §2 lets this one repeat
	audience  bool     // audience was sent, another server's name for resource; its value is not looked at
}

func (f form) get(name string) string { return f.values[name] }

// parameters are the names that must not repeat. All others are ignored, however often they come.
var parameters = map[string]bool{
	"grant_type": true, "username": true, "password": true, "scope": true, "refresh_token": true,
	"client_id": true, "client_secret": true, "client_assertion": true, "client_assertion_type": true,
	"token": true, "token_type_hint": true,
}

// oneLine are the parameters that end up in logs, look-ups or claims: a line break in one is refused.
var oneLine = map[string]bool{"username": true, "client_id": true, "scope": true}

// parseForm reads the whole body of a POST and refuses whatever is not plainly a form. The URL's
// query is never looked at: a secret there would be in every proxy's log.
func parseForm(w http.ResponseWriter, r *http.Request) (form, error) {
	if err := checkFormHeaders(r); err != nil {
		return form{}, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return form{}, err
	}
	return parseFormBody(string(body))
}

// readBody reads a body of bounded size to its end.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	var ours *oauthError
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &ours):
		return nil, ours
	case errors.As(err, &tooLarge):
		return nil, errBodyTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errBodyTooSlow
	}
	return nil, &oauthError{Status: http.StatusBadRequest, Code: "invalid_request", Close: true,
		Description: "the body could not be read to its end", cause: err}
}

var errBodyTooLarge = &oauthError{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Close: true,
	Description: "the body is larger than 64 KiB"}

var errBodyTooSlow = &oauthError{Status: http.StatusRequestTimeout, Code: "invalid_request", Close: true,
	Description: "the body did not arrive in time: send as many bytes as Content-Length says, at once"}

var errTooManyParameters = invalidRequest(fmt.Sprintf("send at most %d parameters", maxParameters))

// checkFormHeaders does not look at the parameters of the Content-Type: what the body is made of is
// judged by its bytes, which are ASCII in every charset that a client may name.
func checkFormHeaders(r *http.Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &oauthError{Status: http.StatusUnsupportedMediaType, Code: "invalid_request", Close: true,
			Description: "send the body as it is, without Content-Encoding"}
	}
	if len(r.Header["Content-Type"]) > 1 {
		return invalidRequest("send one Content-Type header")
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.Trim(media, " \t"), "application/x-www-form-urlencoded") {
		return invalidRequest("send the parameters in the body as application/x-www-form-urlencoded")
	}
	if r.ContentLength > maxBody {
		return errBodyTooLarge
	}
	return nil
}

func parseFormBody(body string) (form, error) {
	// A byte order mark before the first name and line ends behind the last value are not part of either:
	// within them a client would have had to escape both.
	body = strings.TrimRight(strings.TrimPrefix(body, "\ufeff"), "\r\n")
	f := form{values: make(map[string]string, 8)}
	for count := 0; body != ""; {
		var pair string
		pair, body, _ = strings.Cut(body, "&")
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return form{}, errTooManyParameters
		}
		if err := f.add(pair); err != nil {
			return form{}, err
		}
	}
	for name, value := range f.values {
		if value == "" {
			delete(f.values, name)
		}
	}
	return f, nil
}

func (f *form) add(pair string) error {
	if strings.Contains(pair, ";") {
		return invalidRequest("a semicolon in a parameter must be written %3B")
	}
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, okName := decodeComponent(rawName)
	value, okValue := decodeComponent(rawValue)
	if !okName || !okValue {
		return invalidRequest(known(name) + " is not correctly percent-encoded UTF-8, or holds a NUL")
	}
	if name == "resource" {
		if value != "" {
			f.resources = append(f.resources, value)
		}
		return nil
	}
	if !parameters[name] {
		f.audience = f.audience || name == "audience"
		return nil
	}
	if _, twice := f.values[name]; twice {
		return invalidRequest(name + " is given more than once")
	}
	if oneLine[name] && strings.ContainsAny(value, "\r\n") {
		return invalidRequest(name + " holds a line break")
	}
	if name == "scope" {
		value = singleSpaced(value)
	}
	f.values[name] = value
	return nil
}

// singleSpaced drops the spaces at both ends and all but one of those between words, which many clients
// send. Other white space stays, and is refused as a part of a scope.
func singleSpaced(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " ")
}

// known is the name if it is one of ours: no answer repeats what somebody made up.
func known(name string) string {
	if parameters[name] {
		return name
	}
	return "a parameter"
}

// decodeComponent undoes application/x-www-form-urlencoded for one name or value. It is false for a
// broken escape, for what is not UTF-8 and for a NUL.
func decodeComponent(s string) (string, bool) {
	if strings.ContainsAny(s, "%+") {
		decoded, ok := unescape(s)
		if !ok {
			return "", false
		}
		s = decoded
	}
	return s, utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

func unescape(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, ok1 := hexDigit(s[i+1])
			low, ok2 := hexDigit(s[i+2])
			if !ok1 || !ok2 {
				return "", false
			}
			out = append(out, high<<4|low)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
