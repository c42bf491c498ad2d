package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"signet/keys"
	"signet/keys/clockcheck"
	"signet/server/password"
	"signet/store"
)

// oauthError is an answer of RFC 6749 §5.2. Description is for the client's developer and says what
// to do next, never what exists; cause is for the operator's log and is never sent.
type oauthError struct {
	Status      int
	Code        string
	Description string
	RetryAfter  time.Duration // sent as Retry-After, rounded up to seconds; 0: not sent, except with a 503: see Server.pace
	Challenge   string        // sent as WWW-Authenticate; empty: not sent
	Close       bool          // the connection is of no more use: answer with Connection: close
	cause       error
}

func (e *oauthError) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %v", e.Code, e.cause)
	}
	return e.Code + ": " + e.Description
}

func (e *oauthError) Unwrap() error { return e.cause }

// reason is what the log says of it: the true cause, or the description where that is all there is.
func (e *oauthError) reason() string {
	if e.cause != nil {
		return e.cause.Error()
	}
	return e.Description
}

const basicChallenge = `Basic realm="signet", charset="UTF-8"`

// because returns a copy of e with the operator's reason.
func (e *oauthError) because(format string, args ...any) *oauthError {
	c := *e
	c.cause = fmt.Errorf(format, args...)
	return &c
}

// The answers that say the same wherever they are given. What one says of a failed login or a
// refused refresh token must not tell one reason from another.
var (
	errInvalidClient = &oauthError{Status: http.StatusUnauthorized, Code: "invalid_client", Challenge: basicChallenge,
		Description: "client authentication failed: check client_id, client_secret or client_assertion, and the method the client is registered for"}
	errNoClient = &oauthError{Status: http.StatusUnauthorized, Code: "invalid_client", Challenge: basicChallenge,
		Description: "no client was named: send client_id and client_secret by HTTP Basic or in the body, or a public client's client_id in the body"}
	errInvalidLogin = &oauthError{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "the username or password is wrong"}
	errInvalidRefreshToken = &oauthError{Status: http.StatusBadRequest, Code: "invalid_grant",
		Description: "the refresh token is not valid, or no longer: ask the user to log in again"}
	errUnsupportedGrantType = &oauthError{Status: http.StatusBadRequest, Code: "unsupported_grant_type",
		Description: "grant_type must be password, refresh_token or client_credentials"}
	errUnauthorizedClient = &oauthError{Status: http.StatusBadRequest, Code: "unauthorized_client",
		Description: "this client is not registered for this grant_type: use one it has, or ask the operator to add it"}
	errDefaultClient = &oauthError{Status: http.StatusBadRequest, Code: "unauthorized_client",
		Description: "no client was named, and the one that stands in for it is not registered for this grant_type: send client_id"}
	errInvalidScope = &oauthError{Status: http.StatusBadRequest, Code: "invalid_scope",
		Description: "the client may not have every scope it asks for: ask for less; a refresh cannot ask for more than the login was given; without scope you get all there is"}
	errMalformedScope = &oauthError{Status: http.StatusBadRequest, Code: "invalid_scope",
		Description: "scope must be scopes with spaces between them (no comma, no tab), of printable ASCII without quote and backslash"}
	errInvalidTarget = &oauthError{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource must be, to the letter, one of the audiences this client is registered for; a refresh cannot ask for more than the login was given; without resource you get all of them"}
	errMalformedTarget = &oauthError{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource must be an absolute URI without a fragment, or the plain name of an audience; to name several, repeat the parameter"}
	errTooManyTargets = &oauthError{Status: http.StatusBadRequest, Code: "invalid_target",
		Description: "resource may be repeated at most " + strconv.Itoa(maxAudiences) + " times"}
)

func invalidRequest(description string) *oauthError {
	return &oauthError{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

func unavailable(cause error) *oauthError {
	return &oauthError{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable",
		Description: "the server cannot answer right now; nothing was lost: send the same request again after Retry-After, with a new client_assertion if it had one", cause: cause}
}

// errCrowded: attempts that are under way fill a limit of the throttle. None of them has failed yet.
var errCrowded = errors.New("attempts that are under way fill a limit of the throttle")

// crowded asks to come again in a moment, not all at once.
func crowded() *oauthError {
	e := unavailable(errCrowded)
	e.RetryAfter = time.Duration(1+rand.IntN(2)) * time.Second
	return e
}

func slowDown(wait time.Duration) *oauthError {
	return &oauthError{Status: http.StatusTooManyRequests, Code: "slow_down", RetryAfter: wait,
		Description: "too many failed attempts: wait for Retry-After before the next one"}
}

// asOAuthError is the one bridge from inner errors to RFC codes. A failure of something Signet
// depends on is 503, since a retry may succeed and nothing was decided; only what nobody foresaw is 500.
func asOAuthError(err error) *oauthError {
	var known *oauthError
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, keys.ErrStale), errors.Is(err, clockcheck.ErrClock), errors.Is(err, keys.ErrAlgorithm),
		errors.Is(err, keys.ErrSigner), errors.Is(err, password.ErrBusy), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return unavailable(err)
	default:
		return &oauthError{Status: http.StatusInternalServerError, Code: "server_error",
			Description: "something went wrong here; quote the X-Request-Id header to the operator", cause: err}
	}
}
