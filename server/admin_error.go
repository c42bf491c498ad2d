package server

import (
	"errors"
	"fmt"
	"net/http"

	"signet/server/edge"
	"signet/store"
)

// adminErrorAnswer is how the admin API says no. Error is for programs: not_found, exists, refused,
// invalid, unauthorized, forbidden, throttled, unsupported, unavailable or internal. Message is for people
// and says what to do; operators may know what exists, so it says that too.
//
// error_description is the message again, under the name that OAuth's errors have (RFC 6749 §5.2).
type adminErrorAnswer struct {
	Error       string `json:"error"`
	Message     string `json:"message"`
	Description string `json:"error_description"`
}

func adminAnswer(code, message string) adminErrorAnswer {
	return adminErrorAnswer{code, message, message}
}

// adminErrorBody puts an error of either listener in the admin API's words.
func adminErrorBody(e *edge.Error) any {
	switch e.Code {
	case "temporarily_unavailable":
		return adminAnswer("unavailable", "the server or its store cannot do this right now; a change may or may not have been made: "+
			"look, and try again after Retry-After; the server's log has the cause")
	case "server_error":
		return adminAnswer("internal", "something went wrong here; the server's log has the cause under this X-Request-Id")
	case "slow_down":
		return adminAnswer("throttled", e.Description)
	case "invalid_request":
		if e.Status == http.StatusUnauthorized {
			return adminAnswer("unauthorized", "send an access token in the header: Authorization: Bearer …; get it with client_credentials, and name the scope ("+scopeAdmin+", or a narrower one)")
		}
		return adminAnswer("invalid", e.Description)
	case "invalid_token":
		return adminAnswer("unauthorized", "the access token is not valid, or no longer: get a new one with client_credentials, and name the scope ("+scopeAdmin+", or a narrower one)")
	case "insufficient_scope":
		return adminAnswer("forbidden", e.Description)
	}
	return adminAnswer(e.Code, e.Description)
}

func adminInvalid(format string, args ...any) *edge.Error {
	return &edge.Error{Status: http.StatusBadRequest, Code: "invalid", Description: fmt.Sprintf(format, args...)}
}

func adminNotFound(message string) *edge.Error {
	return &edge.Error{Status: http.StatusNotFound, Code: "not_found", Description: message}
}

func adminExists(message string) *edge.Error {
	return &edge.Error{Status: http.StatusConflict, Code: "exists", Description: message}
}

// clientProblem puts what the store says of a client in words.
func clientProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return adminNotFound("there is no client of that id; GET /v1/clients lists them")
	case errors.Is(err, store.ErrExists):
		return adminExists("a client of that id exists already; choose another id, or change the one that is there")
	}
	return err
}

// userProblem does the same for a user.
func userProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return adminNotFound("there is no user of that name; GET /v1/users lists them")
	case errors.Is(err, store.ErrExists):
		return adminExists("a user of that name exists already; choose another name, or change the one that is there")
	}
	return err
}
