package page

import (
	"net/http"
	"time"

	"signet/server/edge"
)

// Reader is who reads a page, as far as its language goes.
type Reader struct {
	UILocales      string // the ui_locales of the request (OpenID Connect Core §3.1.2.1)
	AcceptLanguage string // the header
}

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Message is what stands above a form: what happened to what was sent.
type Message uint8

// The messages of the sign-in page. They distinguish no more than the token endpoint does.
const (
	NoMessage         Message = iota
	Incorrect                 // the username or the password is wrong, or the account is disabled
	MissingInput              // the username or the password is empty
	SlowDown                  // too many failed attempts: SignIn.Wait
	CannotSignIn              // something that is needed does not answer
	FormExpired               // the form was open for too long
	SignedOutMeantime         // a session that the page needs has ended
)

// The messages of the account page.
const (
	SessionEnded Message = iota + 32
	SessionGone
	OthersEnded // Account.Count of them
	PasswordChanged
	WrongPassword // the current one
	PasswordMissing
	PasswordsDiffer // the two entries of the new one
	PasswordSame
	PasswordTooShort // Account.Count characters are needed
	PasswordTooLong  // Account.Count characters are allowed
	PasswordCharacters
	PasswordCommon
	PasswordContext
	PasswordElsewhere // another system has the password
)

// messages has the key and the status of each Message. Those with a good status are no errors.
var messages = map[Message]struct {
	key    string
	status int
}{
	NoMessage:          {"", http.StatusOK},
	Incorrect:          {"message.incorrect", http.StatusBadRequest},
	MissingInput:       {"message.missing", http.StatusBadRequest},
	SlowDown:           {"message.slow_down", http.StatusTooManyRequests},
	CannotSignIn:       {"message.unavailable", http.StatusServiceUnavailable},
	FormExpired:        {"message.expired", http.StatusBadRequest},
	SignedOutMeantime:  {"message.ended", http.StatusBadRequest},
	SessionEnded:       {"message.session_ended", http.StatusOK},
	SessionGone:        {"message.session_gone", http.StatusOK},
	OthersEnded:        {"message.others_ended", http.StatusOK},
	PasswordChanged:    {"message.password_changed", http.StatusOK},
	WrongPassword:      {"message.password_current", http.StatusBadRequest},
	PasswordMissing:    {"message.password_missing", http.StatusBadRequest},
	PasswordsDiffer:    {"message.password_different", http.StatusBadRequest},
	PasswordSame:       {"message.password_same", http.StatusBadRequest},
	PasswordTooShort:   {"message.password_short", http.StatusBadRequest},
	PasswordTooLong:    {"message.password_long", http.StatusBadRequest},
	PasswordCharacters: {"message.password_characters", http.StatusBadRequest},
	PasswordCommon:     {"message.password_common", http.StatusBadRequest},
	PasswordContext:    {"message.password_context", http.StatusBadRequest},
	PasswordElsewhere:  {"message.password_elsewhere", http.StatusConflict},
}

// note is a message in the language of the page. Templates see it as .Note.
type note struct {
	Text    string // empty: there is none
	IsError bool
}

func noteOf(l *locale, m Message, count int, wait time.Duration) (note, int) {
	known := messages[m]
	if known.key == "" {
		return note{}, http.StatusOK
	}
	return note{Text: l.get(known.key, "count", count, "time", l.wait(wait)), IsError: known.status != http.StatusOK}, known.status
}

// SignIn is the page that asks for a username and a password. They are sent to Action as username and password,
// with the hidden fields.
type SignIn struct {
	Reader
	App      string // the name of the app that the user comes from; empty: it is not named
	Action   string // path that the form is sent to
	Hidden   []Field
	Username string // that stands in the field
	Again    bool   // the user is signed in as Username, has to enter the password once more, and cannot change the name
	OtherURL string // of Again: where another user can sign in; empty: nowhere
	Message  Message
	Wait     time.Duration // of SlowDown and CannotSignIn; sent as Retry-After too
	Targets  []string      // where the browser may be sent to when the form was right; see FormTarget
}

type signInView struct {
	view
	SignIn
	Note note
}

// SignIn renders the sign-in page.
func (p *Renderer) SignIn(s SignIn) edge.Response {
	l := p.languages.choose(s.UILocales, s.AcceptLanguage)
	data, status := p.signInView(l, s)
	return p.render(pageSignIn, data.view, data, response{status: status, retry: s.Wait, targets: s.Targets})
}

func (p *Renderer) signInView(l *locale, s SignIn) (signInView, int) {
	heading := "sign_in.heading"
	if s.Again {
		heading = "sign_in.heading.again"
	}
	m, status := noteOf(l, s.Message, 0, s.Wait)
	return signInView{view: p.view(l, pageSignIn, heading, m), SignIn: s, Note: m}, status
}

// Continue is the page that sends the answer of the authorization endpoint to the app as a form
// (OAuth 2.0 Form Post Response Mode). A script presses its button; without scripts a person does.
type Continue struct {
	Reader
	Action string // the redirect URI of the app
	Hidden []Field
}

type continueView struct {
	view
	Continue
	Script string // path
}

// Continue renders the page that goes on to the app.
func (p *Renderer) Continue(c Continue) edge.Response {
	data := p.continueView(p.languages.choose(c.UILocales, c.AcceptLanguage), c)
	out := response{status: http.StatusOK, script: true}
	if target := FormTarget(c.Action); target != "" {
		out.targets = []string{target}
	}
	return p.render(pageContinue, data.view, data, out)
}

func (p *Renderer) continueView(l *locale, c Continue) continueView {
	return continueView{view: p.view(l, pageContinue, "continue.heading", note{}), Continue: c, Script: p.assets.path(scriptFile)}
}
