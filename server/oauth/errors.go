package oauth

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"signet/server/edge"
	"signet/server/outage"
	"signet/server/signin"
	"signet/server/syntax"
	"signet/server/token"
)

// Responses to refused requests. Those to a failed login or a refused refresh token are the same for every reason.
var (
	errInvalidLogin = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "the username or password is wrong"}
	errInvalidRefreshToken = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "the refresh token is not valid, or no longer: ask the user to log in again"}
	errInvalidCode = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "the authorization code is not valid, or no longer: send the user to the authorization endpoint again"}
	errOtherRedirectURI = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "redirect_uri must be, to the letter, that of the authorization request"}
	errWrongVerifier = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "code_verifier is not the secret behind the code_challenge of the authorization request"}
	errUnsupportedGrantType = &edge.Error{Status: http.StatusBadRequest, Code: "unsupported_grant_type",
		Description: "grant_type must be authorization_code, refresh_token, client_credentials or password"}
	errUnauthorizedClient = &edge.Error{Status: http.StatusBadRequest, Code: "unauthorized_client",
		Description: "this client is not registered for this grant_type: use one it has, or ask the operator to add it"}
	errDefaultClient = &edge.Error{Status: http.StatusBadRequest, Code: "unauthorized_client",
		Description: "no client was named, and the one that stands in for it is not registered for this grant_type: send client_id"}
	errInvalidScope = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_scope",
		Description: "the client may not have every scope it asks for: ask for less; a refresh cannot ask for more than the login was given; without scope you get all there is"}
	errMalformedScope = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_scope",
		Description: "scope must be scopes with spaces between them (no comma, no tab), of printable ASCII without quote and backslash"}
	errInvalidTarget = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource must be, to the letter, one of the audiences this client is registered for; a refresh cannot ask for more than the login was given; without resource you get all of them"}
	errMalformedTarget = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource must be an absolute URI without a fragment, or the plain name of an audience; to name several, repeat the parameter"}
	errTooManyTargets = &edge.Error{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource may be repeated at most " + strconv.Itoa(syntax.MaxAudiences) + " times"}
)

// Error is the one bridge from inner errors to RFC 6749 codes. A failure of something Signet depends on is 503, since a
// retry may succeed and nothing was decided; every other error is 500. dependency finds what has failed.
func Error(err error, dependency func(error) string) *edge.Error {
	var (
		known     *edge.Error
		refused   *signin.RefusedError
		throttled *signin.ThrottledError
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, signin.ErrIncomplete), errors.Is(err, signin.ErrNameTooLong):
		return edge.InvalidRequest(err.Error())
	case errors.As(err, &refused):
		return errInvalidLogin.Because("%s", refused.Reason)
	case errors.As(err, &throttled):
		return edge.SlowDown(throttled.Wait)
	case errors.Is(err, token.ErrInactive):
		return edge.ErrInvalidToken.Because("%w", err)
	case errors.Is(err, token.ErrUndecided), dependency(err) != outage.Other, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return edge.Unavailable(err)
	}
	return edge.Internal(err)
}

// Surface returns the surface of OAuth's endpoints.
func (h *Handler) Surface() *edge.Surface {
	return &edge.Surface{
		Error: func(err error) *edge.Error { return Error(err, h.cfg.Dependency) },
		Refused: func(r *edge.Request, rt *edge.Route, refused *edge.Error, _ error) {
			if rt.Form && !r.Audited {
				h.cfg.Audit.RefusedRequest(r, rt.Name, refused)
			}
		},
	}
}
