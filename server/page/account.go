package page

import (
	"net/http"
	"time"

	"signet/server/edge"
)

// Account is the page of a user's own account. Each of its forms is sent to Action with the hidden fields and
// a field do with one of the values below.
type Account struct {
	Reader
	Action    string
	Hidden    []Field
	Username  string
	Sessions  []Session // the current one first
	More      int       // sessions that are not in Sessions
	MinLength int       // characters of a new password
	Elsewhere bool      // another system has the password, so it cannot be changed here
	Message   Message
	Count     int           // of Message
	Wait      time.Duration // of SlowDown and CannotSignIn; sent as Retry-After too
	Now       time.Time
}

// Values of the field do. The names of the other fields are beside them.
const (
	DoSignOut        = "sign-out"
	DoEnd            = "end" // session: Session.ID
	DoEndOthers      = "end-others"
	DoChangePassword = "change-password" // current-password, new-password, repeat-password
)

// Session is one session of the user.
type Session struct {
	ID      string
	App     string // the name of the client; empty: the browser's own, which signs in to all apps
	Browser string // such as Firefox; empty: not known
	System  string // such as Windows; empty: not known
	Address string // or network; empty: not known
	Used    time.Time
	Current bool // of the browser that shows the page
}

type accountView struct {
	view
	Account
	Note  note
	Rows  []row
	Below bool   // Note is about the new password, and stands with its form
	Field string // of that form, that Note is about: current-password or new-password; empty: none
}

// row is a session in words.
type row struct {
	ID      string
	Name    string // of the device, or else of the app
	App     string // empty: Name is the app
	Used    string // empty: not known
	UsedAt  string // for the datetime attribute
	Address string
	Current bool
}

// Account renders the account page.
func (p *Renderer) Account(a Account) edge.Response {
	data, status := p.accountView(p.languages.choose(a.UILocales, a.AcceptLanguage), a)
	return p.render(pageAccount, data.view, data, response{status: status, retry: a.Wait})
}

func (p *Renderer) accountView(l *locale, a Account) (accountView, int) {
	m, status := noteOf(l, a.Message, a.Count, a.Wait)
	data := accountView{view: p.view(l, pageAccount, "account.heading", m), Account: a, Note: m}
	switch a.Message {
	case WrongPassword:
		data.Below, data.Field = true, "current-password"
	case PasswordsDiffer, PasswordSame, PasswordTooShort, PasswordTooLong, PasswordCharacters, PasswordCommon, PasswordContext:
		data.Below, data.Field = true, "new-password"
	case PasswordMissing, SlowDown:
		data.Below = true
	}
	for _, s := range a.Sessions {
		r := row{ID: s.ID, App: s.App, Address: s.Address, Current: s.Current}
		switch {
		case s.Browser != "" && s.System != "":
			r.Name = l.get("account.sessions.browser", "browser", s.Browser, "system", s.System)
		case s.Browser != "" || s.System != "":
			r.Name = s.Browser + s.System
		case s.App != "":
			r.Name, r.App = s.App, ""
		default:
			r.Name = l.get("account.sessions.unknown")
		}
		if s.App == "" {
			r.App = l.get("account.sessions.one_sign_in")
		}
		if !s.Used.IsZero() {
			r.Used, r.UsedAt = l.ago(a.Now.Sub(s.Used)), s.Used.UTC().Format(time.RFC3339)
		}
		data.Rows = append(data.Rows, r)
	}
	return data, status
}

// ConfirmSignOut is the page on which a user confirms to be signed out. Its form is sent to Action with the hidden
// fields.
type ConfirmSignOut struct {
	Reader
	Action   string
	Hidden   []Field
	Username string
	StayURL  string   // of the link that changes nothing; empty: there is no such link
	Targets  []string // where the browser may be sent to afterwards; see FormTarget
}

type confirmSignOutView struct {
	view
	ConfirmSignOut
}

// ConfirmSignOut renders the question whether to sign out.
func (p *Renderer) ConfirmSignOut(c ConfirmSignOut) edge.Response {
	data := p.confirmSignOutView(p.languages.choose(c.UILocales, c.AcceptLanguage), c)
	return p.render(pageConfirmSignOut, data.view, data, response{status: http.StatusOK, targets: c.Targets})
}

func (p *Renderer) confirmSignOutView(l *locale, c ConfirmSignOut) confirmSignOutView {
	return confirmSignOutView{p.view(l, pageConfirmSignOut, "sign_out.heading", note{}), c}
}

// SignedOut is the page after signing out.
type SignedOut struct {
	Reader
	App      string // that AppURL leads to
	AppURL   string // of a link back to the app; empty: none
	AgainURL string // of a link to sign in again; empty: none
}

type signedOutView struct {
	view
	SignedOut
}

// SignedOut renders the page after signing out.
func (p *Renderer) SignedOut(s SignedOut) edge.Response {
	data := p.signedOutView(p.languages.choose(s.UILocales, s.AcceptLanguage), s)
	return p.render(pageSignedOut, data.view, data, response{status: http.StatusOK})
}

func (p *Renderer) signedOutView(l *locale, s SignedOut) signedOutView {
	return signedOutView{p.view(l, pageSignedOut, "signed_out.heading", note{}), s}
}
