package authorize

import (
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/server/browser"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// parameters are those of an authorization request. Others are ignored.
var parameters = edge.Parameters{
	"client_id": true, "redirect_uri": true, "response_type": true, "response_mode": true, "scope": true, "state": true,
	"code_challenge": true, "code_challenge_method": true, "nonce": true, "prompt": true, "max_age": true, "login_hint": true,
	"id_token_hint": true, "ui_locales": true, "request": true, "request_uri": true,
}

// Errors about the client and the redirect URI. They are never sent to a redirect URI.
var (
	errNoClient        = edge.InvalidRequest("client_id is missing")
	errUnknownClient   = edge.InvalidRequest("client_id names no client that is in use here")
	errNoRedirectURI   = edge.InvalidRequest("redirect_uri is missing")
	errRedirectURI     = edge.InvalidRequest("redirect_uri is not one of those that the client is registered with: it must be the same to the letter")
	errUsedRequestURI  = edge.InvalidRequest("request_uri is not one that was given to this client, or it is older than a minute: push the request again")
	errMixedRequestURI = edge.InvalidRequest("a parameter is broken or repeats: send client_id and request_uri, each once")
)

// Errors of requests whose client and redirect URI are certain.
var (
	errResponseType = &edge.Error{Status: http.StatusBadRequest, Code: "unsupported_response_type", Description: "response_type must be code"}
	errGrant        = &edge.Error{Status: http.StatusBadRequest, Code: "unauthorized_client",
		Description: "this client is not registered for the grant authorization_code: ask the operator to add it"}
	errRequestObject = &edge.Error{Status: http.StatusBadRequest, Code: "request_not_supported", Description: "request objects are not supported: send the parameters, or push them"}
	errRequestURI    = &edge.Error{Status: http.StatusBadRequest, Code: "request_uri_not_supported",
		Description: "request_uri must be one that the endpoint for pushed requests has given out"}
	errOtherUser     = &edge.Error{Status: http.StatusBadRequest, Code: "login_required", Description: "another user than that of id_token_hint has signed in"}
	errLoginRequired = &edge.Error{Status: http.StatusBadRequest, Code: "login_required", Description: "the user has to sign in, and prompt=none forbids to ask"}
)

// Response modes (OAuth 2.0 Multiple Response Types §2.1, OAuth 2.0 Form Post Response Mode).
const (
	modeQuery    = "query"
	modeFormPost = "form_post"
)

const (
	maxState = 4000 // bytes
	maxNonce = 1000
	maxHint  = 320
)

// request is an authorization request that was checked.
type request struct {
	handler     *Handler
	form        edge.Form
	pushed      *pushedRequest // nil: it was not pushed
	client      *store.Client
	redirectURI string
	mode        string // of the response
	scope       string
	audience    []string      // empty: the server's default, whatever it is
	none        bool          // no page may be shown
	login       bool          // the user has to sign in, signed in or not
	choose      bool          // likewise, and may be another one
	maxAge      time.Duration // since the user has signed in; less than 0: any
	subject     string        // the sub of the user who is expected; empty: anybody
}

// read checks a request. From the moment on when client and redirect URI are certain, the errors of r are sent there.
func (h *Handler) read(r *edge.Request, form edge.Form, broken error) (*request, error) {
	req := &request{handler: h, form: form, maxAge: -1}
	if strings.HasPrefix(form.Get("request_uri"), requestURIPrefix) {
		if broken != nil {
			return nil, errMixedRequestURI
		}
		if err := req.open(r); err != nil {
			return nil, err
		}
	}
	return req, req.check(r, broken)
}

// check checks a request that is not in a request URI any more.
func (req *request) check(r *edge.Request, broken error) error {
	if err := req.identify(r); err != nil {
		if e, ok := errors.AsType[*edge.Error](broken); ok && !errors.Is(err, errUnknownClient) && !errors.Is(err, errRedirectURI) {
			return e // client_id or redirect_uri may be the one that is broken
		}
		return err
	}
	r.RenderError = func(e *edge.Error) edge.Response { return req.respondError(r, e) }
	if req.mode = req.form.Get("response_mode"); req.mode != modeFormPost && req.mode != modeQuery {
		given := req.mode
		if req.mode = modeQuery; given != "" {
			return edge.InvalidRequest("response_mode must be query or form_post")
		}
	}
	if broken != nil {
		return broken
	}
	for _, check := range []func() error{req.checkKind, req.checkLimits, req.checkChallenge, req.readPrompt, req.readMaxAge, req.readHint} {
		if err := check(); err != nil {
			return err
		}
	}
	return req.settle(r)
}

// identify finds the client, and checks the redirect URI.
func (req *request) identify(r *edge.Request) error {
	id := req.form.Get("client_id")
	if id == "" {
		return errNoClient
	}
	client, err := req.handler.cfg.Clients.Get(r.Context(), id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errUnknownClient
	case err != nil:
		return edge.Unavailable(err)
	}
	r.SetClient(client.ID, false, nil) // anybody can name it
	uri := req.form.Get("redirect_uri")
	switch {
	case client.Disabled:
		return errUnknownClient
	case uri == "":
		return errNoRedirectURI
	case !syntax.RedirectURIAllowed(client.RedirectURIs, uri):
		return errRedirectURI
	}
	req.client, req.redirectURI = client, uri
	return nil
}

// checkKind checks what is asked for, and how.
func (req *request) checkKind() error {
	switch f := req.form; {
	case f.Get("request") != "":
		return errRequestObject
	case f.Get("request_uri") != "":
		return errRequestURI
	case req.client.RequirePAR && req.pushed == nil:
		return edge.InvalidRequest("this client must push its requests (RFC 9126)")
	case f.Get("response_type") == "":
		return edge.InvalidRequest("response_type is missing: it must be code")
	case f.Get("response_type") != "code":
		return errResponseType
	case !slices.Contains(req.client.Grants, syntax.GrantAuthorizationCode):
		return errGrant
	}
	return nil
}

func (req *request) checkLimits() error {
	for name, most := range map[string]int{"state": maxState, "nonce": maxNonce, "login_hint": maxHint} {
		if len(req.form.Get(name)) > most {
			return edge.InvalidRequest(name + " is longer than " + strconv.Itoa(most) + " bytes")
		}
	}
	return nil
}

// checkChallenge wants PKCE with S256 (RFC 7636, RFC 9700 §2.1.1). A challenge without a method would be a plain one.
func (req *request) checkChallenge() error {
	challenge, method := req.form.Get("code_challenge"), req.form.Get("code_challenge_method")
	switch {
	case challenge == "":
		return edge.InvalidRequest("code_challenge is missing: PKCE with S256 is needed (RFC 7636)")
	case method != "S256":
		return edge.InvalidRequest("code_challenge_method must be S256")
	case len(challenge) != 43 || strings.Trim(challenge, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "":
		return edge.InvalidRequest("code_challenge must be the SHA-256 of the verifier in base64url, 43 characters")
	}
	return nil
}

// readPrompt reads prompt (OpenID Connect Core §3.1.2.1).
func (req *request) readPrompt() error {
	words := strings.Fields(req.form.Get("prompt"))
	for _, word := range words {
		switch word {
		case "none":
			req.none = true
		case "login":
			req.login = true
		case "select_account":
			req.login, req.choose = true, true
		case "consent":
		default:
			return edge.InvalidRequest("prompt must be none, login, select_account or consent")
		}
	}
	if req.none && len(words) > 1 {
		return edge.InvalidRequest("prompt=none goes with no other value")
	}
	return nil
}

func (req *request) readMaxAge() error {
	text := req.form.Get("max_age")
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return edge.InvalidRequest("max_age must be a whole number of seconds")
	}
	req.maxAge = time.Duration(seconds) * time.Second
	return nil
}

// readHint reads id_token_hint (OpenID Connect Core §3.1.2.1). It may have expired.
func (req *request) readHint() error {
	raw := req.form.Get("id_token_hint")
	if raw == "" {
		return nil
	}
	claims, err := req.handler.cfg.Hint(raw)
	switch {
	case errors.Is(err, token.ErrInactive):
		return edge.InvalidRequest("id_token_hint is not an id_token of this server")
	case err != nil:
		return edge.Unavailable(err)
	}
	req.subject = claims.Subject
	return nil
}

// expects reports whether the request is for that user.
func (req *request) expects(who *browser.SignedIn) bool {
	return req.subject == "" || req.subject == who.User.ID.String()
}

func (req *request) settle(r *edge.Request) (err error) {
	r.Form = req.form
	if req.scope, req.audience, err = req.handler.cfg.Settle(r, req.client); err != nil {
		return err
	}
	if len(req.client.Audiences) == 0 && len(req.form.Resources) == 0 {
		req.audience = nil // it follows the server's default
	}
	return nil
}

// wantsLogin reports whether the user has to sign in although a user is signed in with the browser. A sign-in from before the client was signed
// out everywhere gives no code that could be redeemed.
func (req *request) wantsLogin(who *browser.SignedIn, now time.Time) bool {
	return req.login || !req.expects(who) || req.maxAge == 0 || req.maxAge > 0 && now.Sub(who.AuthTime) > req.maxAge || who.AuthTime.Before(req.client.NotBefore)
}

// code returns a code for the user who is signed in.
func (h *Handler) code(req *request, who *browser.SignedIn) string {
	c := token.Code{UserID: who.User.ID, UserEpoch: who.User.Epoch, ClientID: req.client.ID, ClientEpoch: req.client.Epoch, Browser: who.Session.ID,
		RedirectURI: req.redirectURI, Challenge: req.form.Get("code_challenge"), Scope: req.scope, Audience: req.audience,
		Chosen: len(req.form.Resources) > 0, Nonce: req.form.Get("nonce"),
		AMR: who.AMR, ACR: who.ACR, AuthTime: who.AuthTime, Expires: h.cfg.Now().Add(token.CodeLife)}
	rand.Read(c.SessionID[:])
	return h.cfg.Sealer.SealCode(c)
}

// respondError is the response to an error of a request whose client and redirect URI are certain.
func (req *request) respondError(r *edge.Request, e *edge.Error) edge.Response {
	if e.Status >= http.StatusInternalServerError && !req.none {
		return req.handler.problem(r, e)
	}
	return req.respond(r, page.Field{Name: "error", Value: e.Code}, page.Field{Name: "error_description", Value: e.Description})
}

// respond sends the browser back to the app, with state and iss.
func (req *request) respond(r *edge.Request, fields ...page.Field) edge.Response {
	if state := req.form.Get("state"); state != "" {
		fields = append(fields, page.Field{Name: "state", Value: state})
	}
	fields = append(fields, page.Field{Name: "iss", Value: req.handler.cfg.Issuer})
	if req.mode == modeFormPost {
		return req.handler.cfg.Pages().Continue(page.Continue{Reader: reader(r, req.form.Get("ui_locales")), Action: req.redirectURI, Hidden: fields})
	}
	return seeOther(withQuery(req.redirectURI, fields))
}
