package edge

import (
	"net/http"
	"slices"
	"strings"
)

// Errors of a protected resource (RFC 6750 §3.1).
var (
	ErrInvalidToken = &Error{Status: http.StatusUnauthorized, Code: "invalid_token",
		Challenge:   `Bearer realm="signet", error="invalid_token", error_description="the access token is not valid, or no longer"`,
		Description: "the access token is not valid, or no longer: refresh it, or ask the user to log in again"}
	ErrNoToken = &Error{Status: http.StatusUnauthorized, Code: "invalid_request", Challenge: `Bearer realm="signet"`,
		Description: "send an access token in the header: Authorization: Bearer ACCESS_TOKEN"} // RFC 6750 §3.1: no error code in the challenge
)

// Bearer takes the token from the Authorization header, the one place where it may stand
// (RFC 6750 §2.1): the form and the query are for logs and histories to leak.
func (r *Request) Bearer() (string, error) {
	headers := r.Header["Authorization"]
	switch {
	case len(headers) == 0:
		return "", ErrNoToken
	case len(headers) > 1:
		return "", InvalidRequest("send one Authorization header")
	}
	scheme, raw, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	if raw = strings.TrimLeft(raw, " "); raw == "" || slices.Contains([]byte(raw), ' ') {
		return "", ErrInvalidToken.Because("not one token after Bearer")
	}
	return raw, nil
}
