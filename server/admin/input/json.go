package input

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

// JSON reads the body, one JSON object, into the value and returns its bytes. An empty body is an object without
// members.
func JSON(r *edge.Request, into any) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(r.Writer, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &edge.Error{Status: http.StatusRequestEntityTooLarge, Code: api.CodeInvalid, Close: true, Description: "the body is larger than 1 MiB"}
	case err != nil:
		e := Invalid("the body could not be read to its end")
		e.Close = true
		return nil, e
	}
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	return body, DecodeJSON(body, into)
}

// DecodeJSON reads one JSON object.
func DecodeJSON(data []byte, into any) error {
	if err := strictjson.Unmarshal(data, into); err != nil {
		return Invalid("%s", err)
	}
	return nil
}
