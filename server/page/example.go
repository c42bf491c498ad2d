package page

import (
	"io/fs"
	"time"

	"signet/server/edge"
)

// Builtin returns the program's own files: those that a directory can replace.
func Builtin() fs.FS { return builtinFiles }

// Languages returns the tags of the languages that there are, the one that counts where none matches first.
func (p *Renderer) Languages() []string {
	tags := make([]string, len(p.languages.list))
	for i, l := range p.languages.list {
		tags[i] = l.tag.String()
	}
	return tags
}

// Example is a page in one of its states, as a designer looks at it.
type Example struct {
	Name     string
	Response edge.Response
}

// Examples returns each page, in the states in which it looks different. Forms are sent to action.
func (p *Renderer) Examples(r Reader, action string, now time.Time) []Example {
	const user, app = "ada@example.com", "Field reports"
	hidden := []Field{{Name: "request", Value: "sealed"}}
	in := SignIn{Reader: r, App: app, Action: action, Hidden: hidden, Targets: []string{FormTarget("https://app.example.com")}}
	wrong, again, slow := in, in, in
	wrong.Message, wrong.Username = Incorrect, user
	slow.Message, slow.Username, slow.Wait = SlowDown, user, 41500*time.Millisecond
	again.Again, again.Username, again.OtherURL = true, user, action
	own := Account{Reader: r, Action: action, Hidden: hidden, Username: user, MinLength: 15, Now: now, Sessions: []Session{
		{ID: "one", Browser: "Firefox", System: "Linux", Address: "192.0.2.7", Used: now.Add(-time.Second), Current: true},
		{ID: "two", App: app, Browser: "Safari", System: "iPhone", Address: "192.0.2.7", Used: now.Add(-3 * time.Hour)},
		{ID: "three", App: "Warehouse", Used: now.Add(-26 * time.Hour)}}}
	short, done := own, own
	short.Message, short.Count, short.More = PasswordTooShort, 15, 2
	done.Message, done.Sessions = PasswordChanged, own.Sessions[:1]
	return []Example{
		{"sign-in", p.SignIn(in)},
		{"sign-in-wrong", p.SignIn(wrong)},
		{"sign-in-slow", p.SignIn(slow)},
		{"sign-in-again", p.SignIn(again)},
		{"account", p.Account(own)},
		{"account-short", p.Account(short)},
		{"account-changed", p.Account(done)},
		{"problem", p.Problem(Problem{Reader: r, RequestID: "reference", Detail: "redirect_uri is not registered"})},
		{"problem-internal", p.Problem(Problem{Reader: r, Kind: Internal, RequestID: "reference", RetryURL: action})},
		{"confirm-sign-out", p.ConfirmSignOut(ConfirmSignOut{Reader: r, Action: action, Hidden: hidden, Username: user, StayURL: action})},
		{"signed-out", p.SignedOut(SignedOut{Reader: r, App: app, AppURL: "https://app.example.com/", AgainURL: action})},
		{"continue", p.Continue(Continue{Reader: r, Action: action, Hidden: hidden})},
	}
}
