package accountpage

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/server/audit"
	"signet/server/browser"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/password"
	"signet/server/sealed"
	"signet/server/signin"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// Path is where the page is, below the path of the issuer.
const Path = "/account"

// Config configures a Handler. All fields are required.
type Config struct {
	Issuer    string
	Keys      [][32]byte // of the master keys, in their order; they seal the tokens of forms
	InUse     func() int // the index of the one that seals
	Store     store.Store
	Passwords *password.Pool
	Policy    func() password.Policy // of new passwords, in force now
	Lifetimes func() store.Lifetimes // of sessions, in force now
	Clients   *clientauth.Cache
	Checker   *token.Checker
	SignIn    *signin.Engine
	Browsers  *browser.Sessions
	Audit     *audit.Recorder
	Pages     func() *page.Renderer
	Now       func() time.Time
}

// Handler answers the requests for the page. It is safe for concurrent use.
type Handler struct {
	cfg  Config
	path string
	box  *sealed.Box
}

// New returns a Handler.
func New(cfg Config) (*Handler, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, path: strings.TrimSuffix(issuer.Path, "/") + Path}
	if h.box, err = sealed.New(cfg.Keys, cfg.InUse, "account form", "", 256); err != nil {
		return nil, err
	}
	h.cfg.Keys = nil // they are not to be printed
	return h, nil
}

// Handle shows the page, or does what a form of it asks for.
func (h *Handler) Handle(r *edge.Request) (edge.Response, error) {
	c := &call{Handler: h, Request: r, headers: http.Header{}}
	r.SetClient(syntax.BrowserClient, false, nil)
	if r.Method != http.MethodPost {
		return c.finish(c.show())
	}
	return c.finish(c.post())
}

// call is one request for the page.
type call struct {
	*Handler
	*edge.Request
	headers http.Header // of the response, beside those of the page
	name    string      // of the browser
	in      *browser.SignedIn
	form    edge.Form
}

// finish adds the headers of the call to its response.
func (c *call) finish(answer edge.Response, err error) (edge.Response, error) {
	if err != nil {
		return answer, err
	}
	if answer.Header == nil {
		answer.Header = http.Header{}
	}
	maps.Copy(answer.Header, c.headers)
	return answer, nil
}

// reader is who reads the page.
func (c *call) reader() page.Reader {
	return page.Reader{AcceptLanguage: c.Header.Get("Accept-Language")}
}

// identify finds out who is signed in with the browser.
func (c *call) identify() (err error) {
	c.in, err = c.cfg.Browsers.Current(c.Request)
	if err != nil {
		return edge.Unavailable(err)
	}
	if c.in != nil {
		c.Subject, c.Username, c.SessionID = c.in.User.ID.String(), c.in.User.Username, c.in.Session.ID.String()
	}
	return nil
}

// show answers GET.
func (c *call) show() (edge.Response, error) {
	if err := c.identify(); err != nil {
		return edge.Response{}, err
	}
	c.name = c.cfg.Browsers.SetName(c.Request, c.headers)
	if c.in == nil {
		return c.signInPage(page.SignIn{}), nil
	}
	return c.accountPage(page.Account{})
}

// post answers a form.
func (c *call) post() (edge.Response, error) {
	if c.cfg.Browsers.CheckOrigin(c.Request) != nil {
		return c.problem(page.Forged), nil
	}
	var err error
	if c.form, err = c.ReadForm(fields); err != nil {
		return edge.Response{}, err
	}
	if c.name = c.cfg.Browsers.Name(c.Request); c.name == "" {
		return c.problem(page.CookiesNeeded), nil
	}
	if err := c.identify(); err != nil {
		return edge.Response{}, err
	}
	signingIn := c.form.Get(fieldDo) == ""
	switch {
	case signingIn && c.in != nil:
		return c.redirect(), nil // signed in from another tab meanwhile
	case !signingIn && c.in == nil:
		return c.signInPage(page.SignIn{Message: page.SignedOutMeantime}), nil
	case !c.valid(c.form.Get(fieldToken), c.name, c.in) && c.in == nil:
		return c.signInPage(page.SignIn{Message: page.FormExpired, Username: c.form.Get(fieldUsername)}), nil
	case !c.valid(c.form.Get(fieldToken), c.name, c.in):
		return c.redirect(), nil
	}
	switch c.form.Get(fieldDo) {
	case "":
		return c.signIn()
	case page.DoSignOut:
		return c.signOut()
	case page.DoEnd:
		return c.end()
	case page.DoEndOthers:
		return c.endOthers()
	case page.DoChangePassword:
		return c.changePassword()
	}
	return edge.Response{}, edge.InvalidRequest("do is none of the page's actions")
}

func (c *call) redirect() edge.Response {
	return edge.Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {c.path}}}
}

func (c *call) problem(kind page.Kind) edge.Response {
	return c.cfg.Pages().Problem(page.Problem{Reader: c.reader(), Kind: kind, RequestID: c.ID, RetryURL: c.path})
}

func (c *call) signInPage(s page.SignIn) edge.Response {
	s.Reader, s.Action, s.Hidden = c.reader(), c.path, c.hidden(c.name, nil)
	return c.cfg.Pages().SignIn(s)
}

// whileSigningIn keeps the form on the page where something that a login needs does not answer.
func (c *call) whileSigningIn(show func(m page.Message, wait time.Duration) edge.Response) {
	c.RenderError = func(e *edge.Error) edge.Response {
		if e.Status != http.StatusServiceUnavailable {
			return c.cfg.Pages().Problem(page.ProblemOf(e))
		}
		answer, _ := c.finish(show(page.CannotSignIn, e.RetryAfter), nil)
		return answer
	}
}

// login begins a session of the browser.
func (c *call) login(username, password string) (signin.SignedIn, error) {
	client, err := c.cfg.Browsers.Client(c.Context())
	if err != nil {
		return signin.SignedIn{}, edge.Unavailable(err)
	}
	return c.cfg.SignIn.Password(c.Request, signin.Login{Client: client, Username: username, Password: password, Device: browser.DeviceOf(c.Request)})
}

// signIn signs a user in with the browser.
func (c *call) signIn() (edge.Response, error) {
	s := page.SignIn{Username: c.form.Get(fieldUsername)}
	show := func(m page.Message, wait time.Duration) edge.Response {
		s.Message, s.Wait = m, wait
		return c.signInPage(s)
	}
	c.whileSigningIn(show)
	in, err := c.login(s.Username, c.form.Get(fieldPassword))
	if m, wait, ok := refusalOf(err); ok {
		return show(m, wait), nil
	}
	if err != nil {
		return edge.Response{}, err
	}
	c.stay(in)
	return c.redirect(), nil
}

// stay makes the browser stay signed in.
func (c *call) stay(in signin.SignedIn) {
	c.cfg.SignIn.Confirm(c.Request, in)
	c.in = &browser.SignedIn{User: in.User, Session: in.Session, AuthTime: in.Session.StartedAt, AMR: in.AMR, ACR: in.ACR}
	c.cfg.Browsers.Set(c.headers, *c.in)
}

// refusalOf returns what people read about a login that was refused. ok is false for any other error.
func refusalOf(err error) (m page.Message, wait time.Duration, ok bool) {
	var throttled *signin.ThrottledError
	switch {
	case errors.As(err, &throttled):
		return page.SlowDown, throttled.Wait, true
	case errors.Is(err, signin.ErrIncomplete):
		return page.MissingInput, 0, true
	case errors.Is(err, signin.ErrNameTooLong), errors.As(err, new(*signin.RefusedError)):
		return page.Incorrect, 0, true
	}
	return page.NoMessage, 0, false
}
