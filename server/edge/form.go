package edge

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"unicode/utf8"
)

const (
	maxBody       = 64 << 10
	maxParameters = 64
)

// Form holds the parameters of a request body that are defined here. Each stands in it once and is not
// empty: an empty parameter counts as omitted (RFC 6749 §3.2).
type Form struct {
	values      map[string]string
	Resources   []string // RFC 8707 §2 lets this one repeat
	HasAudience bool     // audience was sent, another server's name for resource; its value is not looked at
}

// Get returns the value of a parameter, or "".
func (f Form) Get(name string) string { return f.values[name] }

// With returns a form with one parameter set.
func (f Form) With(name, value string) Form {
	f.values = maps.Clone(f.values)
	f.values[name] = value
	return f
}

// Encode returns the parameters of a form as a query with them.
func (f Form) Encode() string {
	v := url.Values{"resource": f.Resources}
	for name, value := range f.values {
		v.Set(name, value)
	}
	return v.Encode()
}

// Parameters are the names that must not repeat. All others are ignored, however often they come.
type Parameters map[string]bool

// parameters are those of the endpoints for clients.
var parameters = Parameters{
	"grant_type": true, "username": true, "password": true, "scope": true, "refresh_token": true,
	"client_id": true, "client_secret": true, "client_assertion": true, "client_assertion_type": true,
	"token": true, "token_type_hint": true,
	"code": true, "redirect_uri": true, "code_verifier": true,
}

// oneLine are the parameters that end up in logs, look-ups or claims: a line break in one is refused.
var oneLine = map[string]bool{"username": true, "client_id": true, "scope": true}

// parseForm reads the whole body of a POST and refuses whatever is not plainly a form. The URL's
// query is never looked at: a secret there would be in every proxy's log.
func parseForm(r *Request, defined Parameters) (Form, error) {
	body, err := r.readFormBody()
	if err != nil {
		return Form{}, err
	}
	if defined == nil {
		defined = parameters
	}
	return parseFormBody(body, defined)
}

func (r *Request) readFormBody() (string, error) {
	if err := checkFormHeaders(r); err != nil {
		return "", err
	}
	body, err := r.ReadBody()
	return string(body), err
}

// ReadForm reads a form body as Route.Form does, but returns what it can of one that is refused: it has no parameter that is
// broken or repeats.
func (r *Request) ReadForm(defined Parameters) (Form, error) {
	body, err := r.readFormBody()
	if err != nil {
		return Form{}, err
	}
	return readParameters(body, defined)
}

// ReadQuery is ReadForm for a query, where no secret may be.
func ReadQuery(query string, defined Parameters) (Form, error) { return readParameters(query, defined) }

// ReadBody reads a body of at most 64 KiB to its end.
func (r *Request) ReadBody() ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errBodyTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	var ours *Error
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
	return nil, &Error{Status: http.StatusBadRequest, Code: "invalid_request", Close: true,
		Description: "the body could not be read to its end", Cause: err}
}

var errBodyTooLarge = &Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Close: true,
	Description: "the body is larger than 64 KiB"}

var errBodyTooSlow = &Error{Status: http.StatusRequestTimeout, Code: "invalid_request", Close: true,
	Description: "the body did not arrive in time: send as many bytes as Content-Length says, at once"}

var errTooManyParameters = InvalidRequest(fmt.Sprintf("send at most %d parameters", maxParameters))

// checkFormHeaders does not look at the parameters of the Content-Type: what the body is made of is
// judged by its bytes, which are ASCII in every charset that a client may name.
func checkFormHeaders(r *Request) error {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return &Error{Status: http.StatusUnsupportedMediaType, Code: "invalid_request", Close: true,
			Description: "send the body as it is, without Content-Encoding"}
	}
	if len(r.Header["Content-Type"]) > 1 {
		return InvalidRequest("send one Content-Type header")
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.Trim(media, " \t"), "application/x-www-form-urlencoded") {
		return InvalidRequest("send the parameters in the body as application/x-www-form-urlencoded")
	}
	return nil
}

func parseFormBody(body string, defined Parameters) (Form, error) {
	f, err := readParameters(body, defined)
	if err != nil {
		return Form{}, err
	}
	return f, nil
}

// readParameters reads the parameters that are not broken and do not repeat, and returns the first error of the others.
func readParameters(text string, defined Parameters) (Form, error) {
	// A byte order mark before the first name and line ends behind the last value are not part of either:
	// within them a client would have had to escape both.
	text = strings.TrimRight(strings.TrimPrefix(text, "\ufeff"), "\r\n")
	f := Form{values: make(map[string]string, 8)}
	var first error
	var bad []string
	for count := 0; text != ""; {
		var pair string
		pair, text, _ = strings.Cut(text, "&")
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			first = cmp.Or(first, error(errTooManyParameters))
			break
		}
		if name, err := f.add(pair, defined); err != nil {
			first, bad = cmp.Or(first, err), append(bad, name)
		}
	}
	for _, name := range bad {
		delete(f.values, name)
	}
	for name, value := range f.values {
		if value == "" {
			delete(f.values, name)
		}
	}
	return f, first
}

// add adds a parameter, or returns its name and what is wrong with it.
func (f *Form) add(pair string, defined Parameters) (string, error) {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, okName := DecodeComponent(rawName)
	value, okValue := DecodeComponent(rawValue)
	switch {
	case strings.Contains(pair, ";"):
		return name, InvalidRequest("a semicolon in a parameter must be written %3B")
	case !okName || !okValue:
		return name, InvalidRequest(known(name, defined) + " is not correctly percent-encoded UTF-8, or holds a NUL")
	}
	if name == "resource" {
		if value != "" {
			f.Resources = append(f.Resources, value)
		}
		return "", nil
	}
	if !defined[name] {
		f.HasAudience = f.HasAudience || name == "audience"
		return "", nil
	}
	if _, twice := f.values[name]; twice {
		return name, InvalidRequest(name + " is given more than once")
	}
	if oneLine[name] && strings.ContainsAny(value, "\r\n") {
		return name, InvalidRequest(name + " holds a line break")
	}
	if name == "scope" {
		value = singleSpaced(value)
	}
	f.values[name] = value
	return "", nil
}

// singleSpaced drops the spaces at both ends and all but one of those between words, which many clients
// send. Other white space stays, and is refused as a part of a scope.
func singleSpaced(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' }), " ")
}

// known returns the name if it is one of ours: no answer repeats a name that a caller made up.
func known(name string, defined Parameters) string {
	if defined[name] {
		return name
	}
	return "a parameter"
}

// DecodeComponent undoes application/x-www-form-urlencoded for one name or value. It is false for a
// broken escape, for what is not UTF-8 and for a NUL.
func DecodeComponent(s string) (string, bool) {
	decoded, err := url.QueryUnescape(s)
	if err != nil {
		return "", false
	}
	return decoded, utf8.ValidString(decoded) && strings.IndexByte(decoded, 0) < 0
}
