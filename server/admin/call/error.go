package call

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"signet/server/admin/api"
	"signet/server/edge"
)

// ErrorBody words an error. Errors of package edge and of access tokens have the codes of OAuth, which logs and metrics
// keep.
func ErrorBody(e *edge.Error, changes bool) any {
	switch e.Code {
	case "temporarily_unavailable":
		text := "the server or its store cannot answer this right now: try again in some seconds; the server's log has the cause"
		if changes {
			text = "the server or its store cannot do this right now; the change may or may not have been made: " +
				"look, and try again in some seconds; the server's log has the cause"
		}
		return api.NewError(api.CodeUnavailable, text)
	case "server_error":
		return api.NewError(api.CodeInternal, "something went wrong here; the server's log has the cause under this X-Request-Id")
	case "slow_down":
		return api.NewError(api.CodeThrottled, e.Description)
	case "invalid_request":
		if e.Status == http.StatusUnauthorized {
			return api.NewError(api.CodeUnauthorized, "send an access token in the header: Authorization: Bearer …; get it with client_credentials, and name the scope ("+api.ScopeAdmin+", or a narrower one)")
		}
		return api.NewError(api.CodeInvalid, e.Description)
	case "invalid_token":
		return api.NewError(api.CodeUnauthorized, "the access token is not valid, or no longer: get a new one with client_credentials, and name the scope ("+api.ScopeAdmin+", or a narrower one)")
	case "insufficient_scope":
		return api.NewError(api.CodeForbidden, e.Description)
	}
	return api.NewError(e.Code, e.Description)
}

// NotFound is for what the path or the query names and is not there.
func NotFound(message string) *edge.Error {
	return &edge.Error{Status: http.StatusNotFound, Code: api.CodeNotFound, Description: message}
}

// Exists is for a name that is taken.
func Exists(message string) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: api.CodeExists, Description: message}
}

// Conflict is for a request that is well-formed and not possible as things are.
func Conflict(format string, args ...any) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: api.CodeRefused, Description: fmt.Sprintf(format, args...)}
}

// MemberNames returns the names of the members of an object.
func MemberNames(object map[string]json.RawMessage) string {
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}
