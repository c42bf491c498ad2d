package logout

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
	"signet/server/sealed"
	"signet/server/syntax"
	"signet/server/token"
	"signet/store"
)

// Path is where the endpoint is, below the path of the issuer.
const Path = "/logout"

// Config configures a Handler. All fields are required.
type Config struct {
	Issuer   string
	Keys     [][32]byte // of the master keys, in their order; they seal the form
	InUse    func() int // the index of the one that seals
	Store    store.Store
	Clients  *clientauth.Cache
	Checker  *token.Checker
	Browsers *browser.Sessions
	Audit    *audit.Recorder
	Pages    func() *page.Renderer
	Now      func() time.Time
	StayPath string // below the path of the issuer; the target of the links to stay signed in and to sign in again
}

// Handler answers the requests. It is safe for concurrent use.
type Handler struct {
	cfg    Config
	prefix string // of paths: the issuer's own
	forms  *sealed.Box
}

// maxForm is the length of the sealed field of the form, which has the parameters of a query.
const maxForm = 16 << 10

// New returns a Handler.
func New(cfg Config) (*Handler, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: cfg, prefix: strings.TrimSuffix(issuer.Path, "/")}
	if h.forms, err = sealed.New(cfg.Keys, cfg.InUse, "sign-out form", "", maxForm); err != nil {
		return nil, err
	}
	h.cfg.Keys = nil // they are not to be printed
	return h, nil
}

// maxQuery is how long the query may be that a POST is turned into.
const maxQuery = 4 << 10

// Handle is GET and POST of the endpoint. A browser sends no cookies with the POST of another site, so a POST is turned into the GET that it
// stands for, unless it is the form of the page that asks.
func (h *Handler) Handle(r *edge.Request) (edge.Response, error) {
	r.SetClient(syntax.BrowserClient, false, nil)
	c := &call{Handler: h, Request: r, headers: http.Header{}}
	var err error
	if r.Method != http.MethodPost {
		if c.form, err = edge.ReadQuery(r.URL.RawQuery, parameters); err != nil {
			return edge.Response{}, err
		}
		return c.finish(c.begin())
	}
	if c.form, err = r.ReadForm(parameters); err != nil {
		return edge.Response{}, err
	}
	if c.form.Get(fieldForm) != "" {
		return c.finish(c.confirmed())
	}
	query := c.form.Encode()
	if len(query) > maxQuery {
		return edge.Response{}, edge.InvalidRequest("the parameters are too long")
	}
	return h.seeOther(h.prefix + Path + "?" + query), nil
}

// call is one request.
type call struct {
	*Handler
	*edge.Request
	headers http.Header // of the response, beside those of the page
	form    edge.Form
	in      *browser.SignedIn // the user who is signed in with the browser; nil: none
	hint    *token.IDClaims   // nil: there is none, or none that is good
	back    back
}

// back is where the browser goes afterwards.
type back struct {
	Client string `json:"c,omitempty"`
	URI    string `json:"u,omitempty"` // of the client; empty: nowhere
	State  string `json:"s,omitempty"`
}

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

// begin decides what a request of an app does.
func (c *call) begin() (edge.Response, error) {
	if err := c.read(); err != nil {
		return edge.Response{}, err
	}
	var err error
	if c.in, err = c.cfg.Browsers.Current(c.Request); err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	switch {
	case c.in != nil && (c.hint == nil || c.hint.Subject != c.in.User.ID.String()):
		c.Outcome = "asked"
		return c.ask(), nil
	case c.hint != nil:
		if err := c.endHinted(); err != nil {
			return edge.Response{}, err
		}
	}
	if c.in != nil {
		if err := c.end(c.in.User.ID, c.in.Session.ID); err != nil {
			return edge.Response{}, err
		}
	}
	return c.leave(), nil
}

// read checks the parameters. Nothing has ended when it refuses them.
func (c *call) read() error {
	id := c.form.Get("client_id")
	if raw := c.form.Get("id_token_hint"); raw != "" {
		hint, err := c.cfg.Checker.Hint(raw)
		switch {
		case errors.Is(err, token.ErrInactive):
			c.Cause = err // it may be from long ago: the page asks
		case err != nil:
			return err
		case id != "" && id != hint.Audience[0]:
			return edge.InvalidRequest("client_id is not the client of id_token_hint")
		default:
			c.hint, id = &hint, hint.Audience[0]
		}
	}
	c.back = back{Client: id, URI: c.form.Get("post_logout_redirect_uri"), State: c.form.Get("state")}
	if c.back.URI == "" {
		return nil
	}
	if id == "" {
		return edge.InvalidRequest("post_logout_redirect_uri needs client_id, or an id_token_hint that this server can verify")
	}
	client, err := c.cfg.Clients.Get(c.Context(), id)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && !syntax.RedirectURIAllowed(client.PostLogoutURIs, c.back.URI):
		return edge.InvalidRequest("post_logout_redirect_uri must be one of those that the client is registered with: to the letter, but for the port of a loopback address")
	case err != nil:
		return edge.Unavailable(err)
	}
	clientauth.Identify(c.Request, client)
	return nil
}

// endHinted ends the session of the hint: the one that it began from, and with it all that did.
func (c *call) endHinted() error {
	user, err := store.ParseUserID(c.hint.Subject)
	if err != nil {
		return edge.Internal(err) // it was signed here
	}
	id, err := store.ParseSessionID(c.hint.SessionID)
	if err != nil {
		return edge.Internal(err)
	}
	state, err := c.cfg.Store.TokenState(c.Context(), store.TokenRef{UserID: user, SessionID: id})
	switch {
	case err != nil:
		return edge.Unavailable(err)
	case !state.Live:
		return nil
	case !state.Session.Parent.IsZero():
		id = state.Session.Parent
	}
	if c.in != nil && c.in.Session.ID == id {
		return nil // it ends next
	}
	return c.end(user, id)
}

// end ends a session, and those that began from it.
func (c *call) end(user store.UserID, id store.SessionID) error {
	c.Subject, c.SessionID = user.String(), id.String()
	e := store.Event{Type: store.EventSessionRevoke, Outcome: store.OutcomeOK, Actor: c.Subject, SessionID: c.SessionID}
	c.Changing = e.Type
	existed, err := c.cfg.Store.RevokeSession(c.cfg.Audit.WithEvent(c.Request, &e), user, id)
	if err != nil {
		return edge.Unavailable(err)
	}
	if existed {
		c.cfg.Audit.Change(c.Request, e)
	}
	return nil
}

// leave answers when nothing is left to end.
func (c *call) leave() edge.Response {
	c.cfg.Browsers.Clear(c.headers)
	c.Outcome = "signed_out"
	if c.back.URI == "" {
		return c.cfg.Pages().SignedOut(page.SignedOut{Reader: c.reader(), AgainURL: c.prefix + c.cfg.StayPath})
	}
	return c.seeOther(c.back.location())
}

// location is the URI with the state.
func (b back) location() string {
	if b.State == "" {
		return b.URI
	}
	separator := "?"
	if strings.Contains(b.URI, "?") {
		separator = "&"
	}
	return b.URI + separator + "state=" + url.QueryEscape(b.State)
}

// seeOther sends the browser on, with a GET. No other site gets to see from where: the query may have an id_token.
func (*Handler) seeOther(location string) edge.Response {
	return edge.Response{Status: http.StatusSeeOther, Header: http.Header{"Location": {location}, "Referrer-Policy": {"no-referrer"}}}
}

func (c *call) reader() page.Reader {
	return page.Reader{UILocales: c.form.Get("ui_locales"), AcceptLanguage: c.Header.Get("Accept-Language")}
}
