// Package input reads what callers of the admin API send: JSON objects, lines of JSON, and parameters of the query. Each
// reader is bounded, and refuses what is unknown and what is there twice, because the caller expects an effect of it.
// The errors are responses.
package input

import (
	"fmt"
	"net/http"

	"signet/server/admin/api"
	"signet/server/edge"
)

// Invalid is the response to an input that is refused.
func Invalid(format string, args ...any) *edge.Error {
	return &edge.Error{Status: http.StatusBadRequest, Code: api.CodeInvalid, Description: fmt.Sprintf(format, args...)}
}
