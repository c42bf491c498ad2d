package authorize

import (
	"errors"
	"net/http"
	"time"

	"signet/server/browser"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/signin"
)

// formLife is how long a form can be sent. It is long, because people leave pages open; nothing secret is in it.
const formLife = time.Hour

// pending is a request that waits for a login: the content of the hidden field of the form.
type pending struct {
	Query   string         `json:"q"`
	Pushed  *pushedRequest `json:"p,omitempty"` // without its query
	Expires int64          `json:"e"`           // in seconds since 1970
}

// Fields of the form.
const (
	fieldRequest  = "request"
	fieldUsername = "username"
	fieldPassword = "password"
)

var signInParameters = edge.Parameters{fieldRequest: true, fieldUsername: true, fieldPassword: true}

// attempt is what has become of a form that was sent; zero: it was not sent yet.
type attempt struct {
	username string
	message  page.Message
	wait     time.Duration
}

var errForged = &edge.Error{Status: http.StatusForbidden, Code: "invalid_request", Description: "the form comes from another site"}

// signInPage is the form. who is the user who is signed in already; nil: none.
func (h *Handler) signInPage(r *edge.Request, req *request, who *browser.SignedIn, last attempt) edge.Response {
	cookies := http.Header{}
	content := pending{Query: req.form.Encode(), Pushed: req.pushed, Expires: h.cfg.Now().Add(formLife).Unix()}
	sealed := h.forms.SealJSON(content, h.cfg.Browsers.SetName(r, cookies))
	p := page.SignIn{Reader: reader(r, req.form.Get("ui_locales")), App: req.client.ID, Action: h.prefix + SignInPath,
		Hidden: []page.Field{{Name: fieldRequest, Value: sealed}}, Username: last.username, Message: last.message, Wait: last.wait,
		Targets: []string{page.FormTarget(req.redirectURI)}}
	switch {
	case who != nil && !req.choose:
		p.Username, p.Again, p.OtherURL = who.User.Username, true, req.otherURL()
	case p.Username == "" && last.message == page.NoMessage:
		p.Username = req.form.Get("login_hint")
	}
	answer := h.cfg.Pages().SignIn(p)
	if set := cookies["Set-Cookie"]; len(set) > 0 {
		answer.Header["Set-Cookie"] = set
	}
	return answer
}

// otherURL is where another user can sign in for the request; a pushed one has no such place.
func (req *request) otherURL() string {
	if req.pushed != nil {
		return ""
	}
	return req.handler.prefix + Path + "?" + req.form.With("prompt", "select_account").Encode()
}

// SignIn is POST /sign-in: the form comes back.
func (h *Handler) SignIn(r *edge.Request) (edge.Response, error) {
	if err := h.cfg.Browsers.CheckOrigin(r); err != nil {
		return edge.Response{}, h.people(r, page.Forged, errForged.Because("%w", err))
	}
	form, err := r.ReadForm(signInParameters)
	if err != nil {
		return edge.Response{}, err
	}
	req, expired, err := h.resume(r, form)
	if err != nil {
		return edge.Response{}, err
	}
	who, err := h.cfg.Browsers.Current(r)
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	last := attempt{username: form.Get(fieldUsername)}
	if expired {
		last.message = page.FormExpired
		r.Outcome = "expired"
		return h.signInPage(r, req, who, last), nil
	}
	now, err := h.signIn(r, who, last.username, form.Get(fieldPassword))
	if err != nil {
		last.message, last.wait = message(err)
		r.RenderError = func(e *edge.Error) edge.Response {
			last.wait = max(last.wait, e.RetryAfter)
			return h.signInPage(r, req, who, last)
		}
		return edge.Response{}, err
	}
	answer, err := h.finish(r, req, &now)
	if err != nil {
		return edge.Response{}, err
	}
	h.cfg.Browsers.Set(answer.Header, now)
	return answer, nil
}

// resume opens the request of a form that comes back, and checks it again: the client may have changed.
func (h *Handler) resume(r *edge.Request, form edge.Form) (req *request, expired bool, err error) {
	name := h.cfg.Browsers.Name(r)
	if name == "" {
		return nil, false, h.people(r, page.CookiesNeeded, edge.InvalidRequest("the browser has sent no cookie"))
	}
	var p pending
	if !h.forms.OpenJSON(form.Get(fieldRequest), name, &p) {
		return nil, false, h.people(r, page.Expired, edge.InvalidRequest("the form is not one of this browser"))
	}
	expired = r.Begun.Unix() >= p.Expires
	if expired && p.Pushed != nil {
		return nil, false, h.people(r, page.Expired, edge.InvalidRequest("the form was open for too long: push the request again"))
	}
	content, broken := edge.ReadQuery(p.Query, parameters)
	req = &request{handler: h, form: content, pushed: p.Pushed, maxAge: -1}
	return req, expired, req.check(r, broken)
}

// signIn signs the user in, and returns what the browser keeps.
func (h *Handler) signIn(r *edge.Request, before *browser.SignedIn, username, password string) (browser.SignedIn, error) {
	client, err := h.cfg.Browsers.Client(r.Context())
	if err != nil {
		return browser.SignedIn{}, edge.Unavailable(err)
	}
	in, err := h.cfg.SignIn.Password(r, signin.Login{Client: client, Username: username, Password: password, Device: browser.DeviceOf(r)})
	if err != nil {
		return browser.SignedIn{}, err
	}
	now, err := h.cfg.Browsers.Replace(r, before, browser.SignedIn{User: in.User, Session: in.Session, AuthTime: in.Session.StartedAt, AMR: in.AMR, ACR: in.ACR})
	if err != nil {
		h.cfg.SignIn.Abandon(r, in)
		return browser.SignedIn{}, edge.Unavailable(err)
	}
	h.cfg.SignIn.Confirm(r, in)
	return now, nil
}

// message is what the form shows after a failed login: no more than the token endpoint gives away.
func message(err error) (page.Message, time.Duration) {
	var throttled *signin.ThrottledError
	var refused *signin.RefusedError
	switch {
	case errors.As(err, &throttled):
		return page.SlowDown, throttled.Wait
	case errors.As(err, &refused), errors.Is(err, signin.ErrNameTooLong):
		return page.Incorrect, 0
	case errors.Is(err, signin.ErrIncomplete):
		return page.MissingInput, 0
	}
	return page.CannotSignIn, 0
}
