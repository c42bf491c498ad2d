package page

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/server/edge"
	"signet/server/page/palette"
)

// Config configures a Renderer. Only Issuer is required.
type Config struct {
	Issuer   string           // URL of the server; forms and resources are below its path
	Company  string           // whose pages these are; empty: the host of Issuer
	Logo     []byte           // SVG or PNG; nil: the company's name
	LogoDark []byte           // in the dark theme; nil: Logo
	Colors   palette.Settings // the zero value: the default palette
	Links    Links            // of the footer
	Language string           // where no language that is there was asked for; empty: English
	Files    fs.FS            // replace those of the program, see the package documentation; nil: none

	// Failed is called with the error of a page that a template of Files could not render. The page was rendered
	// with the program's own template instead. nil: not called.
	Failed func(error)
}

// Links are URLs of the company. An empty one is not shown.
type Links struct {
	ForgotPassword string // beside the field of the password
	Help           string
	Privacy        string
	Terms          string
	Imprint        string
}

// Renderer renders the pages. It never changes, and is safe for concurrent use.
type Renderer struct {
	company   string
	links     Links
	languages *languages
	templates map[string]*template.Template
	builtin   map[string]*template.Template
	assets    assets
	failed    func(error)
}

// Error is what is wrong with a field of Config.
type Error struct {
	Field string // its name
	Err   error
}

func (e *Error) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Err }

// New returns a Renderer, or an *Error. With Files it first renders each page in each language. Without them the
// templates are those of the program, which tests render.
func New(cfg Config) (*Renderer, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, &Error{"Issuer", errors.New("it is not an absolute URL")}
	}
	p := &Renderer{company: cfg.Company, links: cfg.Links, failed: cfg.Failed}
	if p.company == "" {
		p.company = issuer.Hostname()
	}
	if p.failed == nil {
		p.failed = func(error) {}
	}
	custom := cfg.Files
	if custom == nil {
		custom = noFiles{}
	}
	colors, err := palette.New(cfg.Colors)
	if err != nil {
		return nil, &Error{"Colors", err}
	}
	if err := p.readFiles(custom); err != nil {
		return nil, &Error{"Files", err}
	}
	if err := p.languages.prefer(cmp.Or(cfg.Language, fallbackLanguage)); err != nil {
		return nil, &Error{"Language", err}
	}
	style, err := readEither(custom, builtinFiles, styleFile)
	if err != nil {
		return nil, &Error{"Files", err}
	}
	p.assets = newAssets(strings.TrimSuffix(issuer.Path, "/"), colors, style, p.company)
	for _, logo := range []struct {
		field, name string
		content     []byte
	}{{"Logo", logoName, cfg.Logo}, {"LogoDark", logoDarkName, cfg.LogoDark}} {
		if err := p.assets.addLogo(logo.name, logo.content); err != nil {
			return nil, &Error{logo.field, err}
		}
	}
	if cfg.Files != nil {
		if err := p.check(); err != nil {
			return nil, &Error{"Files", err}
		}
	}
	return p, nil
}

// readFiles reads the languages and the templates.
func (p *Renderer) readFiles(custom fs.FS) (err error) {
	if err = checkNames(custom); err != nil {
		return err
	}
	if p.languages, err = readLanguages(builtinFiles, custom); err != nil {
		return err
	}
	if p.builtin, err = builtinTemplates(); err != nil {
		return err
	}
	if _, none := custom.(noFiles); none {
		p.templates = p.builtin
		return nil
	}
	p.templates, err = parseTemplates(builtinFiles, custom)
	return err
}

// view is what every template sees, beside the fields of its page.
type view struct {
	Page      string // the name of the page, such as sign-in
	Language  string // its tag
	Direction string // ltr or rtl
	Title     string
	Company   string
	Initial   string // the first letter of Company
	Style     string // path of the style sheet
	Icon      string // path of the icon
	Logo      string // path of the logo; empty: there is none
	LogoDark  string // path of that of the dark theme; empty: as Logo
	Forgotten string // URL for those who have forgotten their password; empty: there is none
	Footer    []Link

	locale *locale
}

// Link is a link of the footer.
type Link struct{ Text, URL string }

// Text returns a text of the page's language. args are pairs: the name of a placeholder, and what stands there.
func (v view) Text(key string, args ...any) string { return v.locale.get(key, args...) }

// view returns what all pages have. heading is the key of the heading, and message what stands above the form.
func (p *Renderer) view(l *locale, page, heading string, m note) view {
	title := "title"
	if m.IsError {
		title = "title.error"
	}
	v := view{Page: page, Language: l.tag.String(), Direction: l.direction(), Company: p.company, Initial: initial(p.company), locale: l,
		Title: l.get(title, "page", l.get(heading), "company", p.company), Forgotten: p.links.ForgotPassword,
		Style: p.assets.path(styleFile), Icon: p.assets.path(iconName), Logo: p.assets.path(logoName), LogoDark: p.assets.path(logoDarkName)}
	for _, link := range []Link{{"links.help", p.links.Help}, {"links.privacy", p.links.Privacy},
		{"links.terms", p.links.Terms}, {"links.imprint", p.links.Imprint}} {
		if link.URL != "" {
			v.Footer = append(v.Footer, Link{l.get(link.Text), link.URL})
		}
	}
	return v
}

// response is what differs between the responses with a page.
type response struct {
	status  int
	retry   time.Duration // Retry-After; 0: none
	targets []string      // sources of form-action, beside 'self'
	script  bool          // the page has the script, and sends a form to another site
}

// render executes the template of a page.
func (p *Renderer) render(page string, v view, data any, out response) edge.Response {
	body, err := execute(p.templates[page], data)
	if err != nil {
		p.failed(err)
		if body, err = execute(p.builtin[page], data); err != nil {
			panic(fmt.Sprintf("page %s: %v", page, err)) // a bug: tests execute it
		}
	}
	h := http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Language":        {v.Language},
		"Content-Security-Policy": {policy(out)},
		"Referrer-Policy":         {"same-origin"},
		"X-Frame-Options":         {"DENY"},
	}
	if out.script {
		h.Set("Referrer-Policy", "strict-origin") // with same-origin the app would see Origin: null
	}
	if out.retry > 0 {
		h.Set("Retry-After", fmt.Sprint(int((out.retry+time.Second-1)/time.Second)))
	}
	return edge.Response{Status: out.status, Header: h, Raw: body}
}

// policy is the Content-Security-Policy of a page.
func policy(out response) string {
	s := "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	if out.script {
		s += "; script-src 'self'"
	}
	return s + "; form-action " + strings.Join(append([]string{"'self'"}, out.targets...), " ")
}

// FormTarget returns the sources of form-action that allow a form, and the redirects that follow it, to go to the
// redirect URI of an app. It is empty for what is not an absolute URI.
//
// Chromium applies form-action to each redirect that follows a form, so also to those that the app makes: a
// callback at api.example.com which sends the browser on to www.example.com would end at a page that does not react.
// Where the app goes on to is not known here. All of https is therefore allowed for an app at an https URI, and for
// one on this machine its host with any port as well.
func FormTarget(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return ""
	}
	switch scheme := strings.ToLower(u.Scheme); scheme {
	case "javascript", "data":
		return ""
	case "https":
		return "https:"
	case "http":
		// A source cannot have an IPv6 address. What else is no host name is left out with it.
		if host := u.Hostname(); host != "" && strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" {
			return "http://" + host + ":* https:"
		}
		return "http: https:"
	default:
		return scheme + ":"
	}
}

// initial is the first letter of a name.
func initial(name string) string {
	for _, c := range name {
		return strings.ToUpper(string(c))
	}
	return ""
}
