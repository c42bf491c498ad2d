package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/server/browser"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/sealed"
	"signet/server/signin"
	"signet/server/token"
	"signet/store"
)

// Config configures a Handler. All fields are required.
type Config struct {
	Issuer   string
	Keys     [][32]byte // of the master keys, in their order; they seal forms and request URIs
	InUse    func() int // the index of the one that seals
	Clients  *clientauth.Cache
	Store    Assertions
	SignIn   *signin.Engine
	Browsers *browser.Sessions
	Sealer   *token.Sealer         // of codes
	Pages    func() *page.Renderer // in force
	Now      func() time.Time
	Skew     func() time.Duration // by how much the clocks of replicas may differ

	Hint func(idToken string) (token.IDClaims, error) // reads an id_token_hint, as token.Checker does
	// Settle returns the scope and the audience of a request with the form r.Form, or why it may not have them.
	Settle func(r *edge.Request, client *store.Client) (scope string, audience []string, err error)
}

// Assertions marks pushed requests as used, as it does client assertions.
type Assertions interface {
	UseAssertion(ctx context.Context, id store.AssertionID, until time.Time) error
}

// Handler has the handlers of this package.
type Handler struct {
	cfg    Config
	prefix string // of paths: the issuer's own
	forms  *sealed.Box
	pushed *sealed.Box
}

// Paths relative to the issuer.
const (
	Path       = "/authorize"
	SignInPath = "/sign-in"
	PARPath    = "/par"
)

const (
	maxForm       = 48 << 10 // bytes of the sealed field of a form; all of a body is at most 64 KiB
	maxRequestURI = 8 << 10  // bytes of a request URI: all of the headers are at most 16 KiB
)

// New returns a Handler.
func New(cfg Config) (*Handler, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, prefix: strings.TrimSuffix(issuer.Path, "/")}
	if h.forms, err = sealed.New(cfg.Keys, cfg.InUse, "sign-in form", "", maxForm); err != nil {
		return nil, err
	}
	if h.pushed, err = sealed.New(cfg.Keys, cfg.InUse, "pushed request", requestURIPrefix, maxRequestURI); err != nil {
		return nil, err
	}
	h.cfg.Keys = nil // they are not to be printed
	return h, nil
}

// problem is the page of an error.
func (h *Handler) problem(r *edge.Request, e *edge.Error) edge.Response {
	p := page.ProblemOf(e)
	p.Reader, p.RequestID = reader(r, ""), r.ID
	return h.cfg.Pages().Problem(p)
}

// people returns an error that is shown as a page of a kind.
func (h *Handler) people(r *edge.Request, kind page.Kind, e *edge.Error) error {
	r.RenderError = func(e *edge.Error) edge.Response {
		return h.cfg.Pages().Problem(page.Problem{Reader: reader(r, ""), Kind: kind, Status: e.Status, RequestID: r.ID})
	}
	return e
}

func reader(r *edge.Request, locales string) page.Reader {
	return page.Reader{UILocales: locales, AcceptLanguage: r.Header.Get("Accept-Language")}
}

// maxQuery is how long the query may be that a POST is turned into.
const maxQuery = 4 << 10

// Authorize is GET or POST /authorize. A browser sends no cookies with the POST of another site, so a POST is turned into the
// GET that it stands for.
func (h *Handler) Authorize(r *edge.Request) (edge.Response, error) {
	form, broken := edge.ReadQuery(r.URL.RawQuery, parameters)
	if r.Method == http.MethodPost {
		form, broken = r.ReadForm(parameters)
		if query := form.Encode(); broken == nil && query != "" && len(query) <= maxQuery {
			return seeOther(h.prefix + Path + "?" + query), nil
		}
	}
	req, err := h.read(r, form, broken)
	if err != nil {
		return edge.Response{}, err
	}
	who, err := h.cfg.Browsers.Current(r)
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	switch {
	case who != nil && !req.wantsLogin(who, r.Begun):
		return h.finish(r, req, who)
	case req.none:
		return edge.Response{}, errLoginRequired
	}
	r.Outcome = "sign_in_page"
	return h.signInPage(r, req, who, attempt{}), nil
}

// finish gives out the code.
func (h *Handler) finish(r *edge.Request, req *request, who *browser.SignedIn) (edge.Response, error) {
	r.Subject, r.SessionID = who.User.ID.String(), who.Session.ID.String()
	if !req.expects(who) { // another user than that of id_token_hint has signed in, and stays so
		r.Outcome = errOtherUser.Code
		return req.respondError(r, errOtherUser), nil
	}
	if req.pushed != nil {
		if err := h.use(r, req.pushed); err != nil {
			return edge.Response{}, err
		}
	}
	return req.respond(r, page.Field{Name: "code", Value: h.code(req, who)}), nil
}

// seeOther sends the browser on, with a GET. No other site gets to see from where.
func seeOther(location string) edge.Response {
	return edge.Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {location}, "Referrer-Policy": {"no-referrer"}}}
}

// use marks a pushed request as used.
func (h *Handler) use(r *edge.Request, p *pushedRequest) error {
	err := h.cfg.Store.UseAssertion(r.Context(), p.ID, r.Begun.Add(pushedLife+formLife+2*h.cfg.Skew()))
	switch {
	case errors.Is(err, store.ErrExists):
		return h.people(r, page.Expired, edge.InvalidRequest("request_uri was used before: push the request again"))
	case err != nil:
		return edge.Unavailable(err)
	}
	return nil
}
