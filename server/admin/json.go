package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/strictjson"
)

const maxBody = 1 << 20

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

// decodeJSON reads one JSON object.
func decodeJSON(data []byte, into any) error {
	if err := strictjson.Unmarshal(data, into); err != nil {
		return invalid("%s", err)
	}
	return nil
}

// withoutBody is a handler of a verb that has no parameters: a caller who sends some expects something of them. An
// object without members is taken too.
func withoutBody(handle func(*Request) (edge.Response, error)) func(*Request) (edge.Response, error) {
	return func(r *Request) (edge.Response, error) {
		if _, err := readJSON(r, &struct{}{}); err != nil {
			if e, ok := errors.AsType[*edge.Error](err); ok && e.Code == api.CodeInvalid {
				e.Description = "this takes no parameters: send it without a body; nothing was changed"
			}
			return edge.Response{}, err
		}
		return handle(r)
	}
}
