package api

// Codes of Error. The comment names the HTTP status.
const (
	CodeInvalid      = "invalid"      // 400, 405, 408, 413: malformed; the message names what to change
	CodeUnauthorized = "unauthorized" // 401: no token, or one that is not valid here
	CodeForbidden    = "forbidden"    // 403: not the scope; WWW-Authenticate has the one that the verb needs
	CodeNotFound     = "not_found"    // 404: no such record or path
	CodeExists       = "exists"       // 409: the name is taken
	CodeRefused      = "refused"      // 409: well-formed, and not possible as things are
	CodeChanged      = "changed"      // 412: the record is not the one that IfMatch names any more
	CodeThrottled    = "throttled"    // 429: too many bad tokens from the caller's network
	CodeInternal     = "internal"     // 500: a fault of the server
	CodeUnsupported  = "unsupported"  // 501: not with this store
	CodeUnavailable  = "unavailable"  // 503: the store or the clock prevents it; a change may have been made
	CodeBusy         = "busy"         // 503: another one is under way
)

// Error is the body of every answer that refuses a request.
type Error struct {
	Code        string `json:"error"`             // for programs
	Message     string `json:"message"`           // for people; it names what to do
	Description string `json:"error_description"` // Message again, under the name of RFC 6749 §5.2
}

// NewError returns the error with its message under both names.
func NewError(code, message string) Error { return Error{code, message, message} }
